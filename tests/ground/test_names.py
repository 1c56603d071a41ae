from common.names import did_you_mean


def test_only_a_close_name_is_suggested() -> None:
    assert did_you_mean("spend_7", ["spend_7d", "purchases_7d"]) == " (did you mean spend_7d?)"
    assert did_you_mean("weather", ["spend_7d", "purchases_7d"]) == ""
