"""The pattern for names of datasets, columns, pins and training sets."""

from __future__ import annotations

import re

LONGEST_NAME = 63
NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_NAME - 1}}}")
