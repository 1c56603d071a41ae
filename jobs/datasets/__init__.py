"""One folder a dataset; further folders may lie elsewhere, named by DATASETS like PATH."""

import os

__path__ += [folder for folder in os.environ.get("DATASETS", "").split(os.pathsep) if folder]
