from pathlib import Path

import pytest

from common.errors import UsageError
from common.runtime import environments, settings
from common.runtime.settings import load_settings


def test_flags_beat_the_environment_which_beats_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings("local").lake.endswith("/data/lake")
    monkeypatch.setenv("LAKE", "/from/environment")
    assert load_settings("local").lake == "/from/environment"
    assert load_settings("local", lake="/from/flag").lake == "/from/flag"


@pytest.mark.parametrize("name", ["lake", "Lake", "spark"])
def test_only_names_in_capitals_count(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    expected = load_settings("local")
    monkeypatch.setenv(name, "/from/another/program")
    assert load_settings("local") == expected
    monkeypatch.setenv("LAKE", "/from/environment")
    monkeypatch.delenv(name)
    monkeypatch.setenv(name, "/from/another/program")  # the newest in the environment
    assert load_settings("local").lake == "/from/environment"


def test_a_uri_stays_a_uri() -> None:
    assert load_settings("local", lake="s3://bucket/lake").lake == "s3://bucket/lake"


@pytest.mark.parametrize("name", ["nowhere", "../local", "", "LOCAL"])
def test_an_unknown_environment_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="cluster, compose, local"):
        load_settings(name)


def test_wrong_settings_are_named_without_their_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conf = (settings.CONF / "local.yml").read_text()
    (tmp_path / "odd.yml").write_text(
        f"{conf}\nlok_wait: 1\nlarge_file_mb: hunter2\n".replace("large_file_mb: 16\n", "")
    )
    for module in (settings, environments):
        monkeypatch.setattr(module, "CONF", tmp_path)
    with pytest.raises(UsageError) as refused:
        load_settings("odd")
    assert "lok_wait" in str(refused.value)
    assert "large_file_mb" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_spark_settings_may_hold_secrets_and_are_never_printed() -> None:
    assert "spark.master" not in repr(load_settings("local"))
