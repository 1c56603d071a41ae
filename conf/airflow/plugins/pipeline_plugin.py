"""Tells Airflow's scheduler about the project's own class of deadlines."""

from airflow.plugins_manager import AirflowPlugin

from dags.lateness import PossibleStart


class PipelinePlugin(AirflowPlugin):
    name = "pipeline"
    deadline_references = (PossibleStart,)
