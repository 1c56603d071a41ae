"""One reading of the environment for Spark, Arrow and deltalake."""

from __future__ import annotations

import pytest

from common.errors import UsageError
from common.runtime import object_store
from common.runtime.settings import load_settings

NAMES = (*object_store.ENDPOINTS, *object_store.REGIONS, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST")
HERE = "http://127.0.0.1:9000"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setattr(object_store, "require_jars", lambda: None)


def test_hadoops_name_for_s3_is_the_same_place() -> None:
    settings = load_settings("local", lake="s3a://bucket/lake", landing="s3://other")
    assert (settings.lake, settings.landing) == ("s3://bucket/lake", "s3://other")


def test_all_three_are_told_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{HERE}/")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    spark = object_store.spark_options("s3://bucket/lake", "data/landing")
    delta = object_store.delta_options("s3://bucket/lake/raw")
    arrow = object_store.arrow_file_system()
    assert spark["spark.hadoop.fs.s3a.endpoint"] == HERE
    assert spark["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert spark["spark.hadoop.fs.s3a.connection.ssl.enabled"] == "false"
    assert delta is not None
    assert (delta["endpoint"], delta["region"], delta["allow_http"]) == (HERE, "eu-west-1", "true")
    assert delta["virtual_hosted_style_request"] == "false"
    assert arrow.region == "eu-west-1"


def test_on_aws_the_buckets_have_hosts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    spark = object_store.spark_options("s3://bucket/lake")
    assert "spark.hadoop.fs.s3a.endpoint" not in spark
    assert spark["spark.hadoop.fs.s3a.path.style.access"] == "false"
    assert object_store.delta_options("s3://bucket/lake")["region"] == "eu-west-1"  # type: ignore[index]


def test_no_key_stands_in_any_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of Spark stand on its pages, in its logs and in its plans."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", HERE)
    told = f"{object_store.spark_options('s3://b')} {object_store.delta_options('s3://b')} {object_store.declared()}"
    assert "hush-hush" not in told
    assert "the-key" not in told


def test_a_lake_elsewhere_needs_nothing() -> None:
    assert object_store.spark_options("/data/lake", "file:///landing") == {}
    assert object_store.delta_options("/data/lake/raw") is None


@pytest.mark.parametrize("address", ["127.0.0.1:9000", "ftp://store", "http://"])
def test_an_address_that_cannot_be_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(UsageError, match="expected an address such as"):
        object_store.declared()


def test_an_address_with_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush@store:9000")
    with pytest.raises(UsageError, match="holds a user or a password") as refused:
        object_store.declared()
    assert "hush" not in str(refused.value)
