import pytest

from caxton.config.keys import BY_OPTION, BY_PATH, KEYS, Kind, MisfitError
from caxton.config.layers import layered
from caxton.config.presets import PRESETS
from caxton.errors import ConfigurationError

NUMBERS = [key for key in KEYS if key.kind in {Kind.WHOLE, Kind.NUMBER}]


def written(number):
    return str(int(number)) if number == int(number) else str(number)


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_a_number_may_be_its_bounds_and_nothing_beyond(key):
    """Each has two, which are allowed as a file writes them; one step beyond is refused with what may be chosen."""
    step = key.unit if key.kind is Kind.WHOLE else 0.1
    for bound in filter(None, (key.least, key.most)):
        assert key.written(key.read(written(bound))) == bound
    for wrong in (key.least - step, key.most + step):
        with pytest.raises(MisfitError, match=f"choose .*{written(key.least)}"):
            key.read(written(round(wrong, 3)))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("router.retry_delay_ms", ("1e3", "1_000", "١٢٣", "nan", "0x80", "", "1" * 30, "1000.0", "1:40")),
        ("router.retry_factor", ("nan", "inf", "2,5", ".5", "1e0")),
        ("router.dead_letter_eviction", ("yes", "on", "True", "1", "")),
        ("router.retention", ("7", "7 d", "59s", "3651d", "")),
        ("runtime.log_level", ("DEBUG", "trace", "")),
        ("runtime.data_dir", ("~/data", "", "a\0b")),
        ("router.conversation_timeout_ms", ("300001", "299000")),
    ],
)
def test_a_value_is_what_its_key_wants(path, wrong):
    """Whatever else stands there is refused, with a problem and a remedy."""
    for text in wrong:
        with pytest.raises(MisfitError) as told:
            BY_PATH[path].read(text)
        assert told.value.problem
        assert told.value.remedy


def test_a_number_in_quotes_is_text():
    """YAML says so, and the error tells to leave the quotes out."""
    with pytest.raises(MisfitError, match="without quotes"):
        BY_PATH["router.retry_delay_ms"].read("100", quoted=True)


def test_a_file_has_milliseconds_where_the_flag_has_seconds():
    """The seed's key conversation_timeout_ms is the flag --conversation-timeout-s."""
    key = BY_PATH["router.conversation_timeout_ms"]
    assert key.read("300000") == 300
    assert key.written(300) == 300_000
    assert key.flag == "--conversation-timeout-s"


def test_no_two_settings_share_a_name():
    """Keys, flags and variables are as many as settings."""
    assert len(BY_PATH) == len(BY_OPTION) == len({key.variable for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize(
    ("preset", "values"),
    [
        ("development", {"workers": 2, "conversation_timeout_s": 1_800, "log_level": "debug", "max_retries": 3}),
        ("development", {"inbound_queue_size": 1_000, "outbound_queue_size": 1_000}),
        ("production", {"workers": 16, "conversation_timeout_s": 3_600, "log_level": "warning", "max_retries": 5}),
        ("production", {"inbound_queue_size": 100_000, "outbound_queue_size": 8_192}),
    ],
)
def test_presets_have_the_numbers_of_their_environments(preset, values):
    """Development and production are what was specified for them."""
    assert {name: PRESETS[preset][name] for name in values} == values


def test_testing_lies_between_the_others():
    """No number of the preset for tests is outside what the two others span."""
    for name, value in PRESETS["testing"].items():
        if isinstance(value, int | float):
            ends = sorted((PRESETS["development"][name], PRESETS["production"][name]))
            assert ends[0] <= value <= ends[1], name


def test_a_preset_that_there_is_not_is_told():
    """The error names those that there are."""
    with pytest.raises(ConfigurationError, match="development, testing, production"):
        layered(None, "prod")


def test_the_file_goes_before_the_preset(tmp_path):
    """What both say is the file's, with its line; the preset that is asked for goes before the file's."""
    file = tmp_path / "caxton.yaml"
    file.write_text("preset: testing\nrouter:\n  worker_thread_count: 3\n")

    found = layered(file, None)
    assert found["workers"] == (3, "file", f"{file}:3")
    assert found["log_level"] == ("info", "preset", "testing")
    assert layered(file, "production")["log_level"] == ("warning", "preset", "production")
