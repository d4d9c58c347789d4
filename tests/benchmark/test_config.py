from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from fillbench import FillbenchError, generators
from fillbench.benchmark.config import preset_names, read_preset, resolve
from fillbench.benchmark.rundir import command_of
from fillbench.classifiers.images import Config as ClassifierConfig
from fillbench.settings import build


def yaml(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_without_flags_the_digits_preset_is_run():
    config = resolve({})
    assert (config.dataset, config.keep, config.seeds, config.steps) == ("digits", 5, 5, 240)
    assert config.minority == ("5", "6", "7", "8", "9")
    assert config == resolve({}, "digits") == resolve({"dataset": "digits"})


def test_flags_win_over_the_preset_and_the_preset_over_defaults():
    config = resolve({"keep": "0.2", "seeds": "5"}, "mnist-zero")
    assert (config.dataset, config.minority, config.keep, config.fill, config.seeds) == (
        "mnist",
        ("0",),
        0.2,
        5700,
        5,
    )


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves(name):
    assert resolve({}, name).dataset == read_preset(name)["dataset"]


@pytest.mark.parametrize("name", preset_names())
def test_every_setting_of_a_preset_is_one_that_there_is(name):
    for owner, settings in resolve({}, name).set.items():
        config = ClassifierConfig if owner == "classifier" else generators.load(owner).Config
        build(config, settings, owner)


def test_a_preset_may_speak_of_generators_that_are_not_run_and_ones_own_settings_may_not():
    assert resolve({"generators": "smote"}, "cifar10-three").set == {}
    assert resolve({"generators": "ddpm,smote"}, "cifar10-three").set == {"ddpm": {"steps": 20000}}
    assert "model" in resolve({}, "cifar10-three").set["stable-diffusion"]
    assert resolve({"generators": "smote", "set": ["ddpm.steps=5"]}, "cifar10-three").set == {"ddpm": {"steps": "5"}}


def test_another_profile_takes_none_of_the_presets_imbalance():
    config = resolve({"profile": "longtail"})
    assert (config.minority, config.keep) == (("auto",), None)


def test_a_preset_for_the_same_data_set_takes_nothing_of_the_data_sets_own():
    assert resolve({}, "digits-few").set == {"classifier": {"batch_size": 64, "stem_stride": 2}}
    assert resolve({}, "digits-few").seeds == 3


@pytest.mark.parametrize(("text", "value"), [("300", 300), ("0.1", 0.1), ("1.0", 1.0)])
def test_keep_with_a_point_is_a_share_and_without_a_count(text, value):
    keep = resolve({"dataset": "mnist", "minority": "0", "keep": text}).keep
    assert keep == value
    assert type(keep) is type(value)


@pytest.mark.parametrize("name", ["keep", "fill"])
def test_the_number_one_is_ambiguous_and_refused_from_everywhere(tmp_path, name):
    rest = {"dataset": "mnist", "minority": "0", "keep": "0.5"}
    for given in ("1", 1):
        with pytest.raises(FillbenchError, match=rf"--{name} 1 .*write 1\.0 for all.*or 2 or more"):
            resolve({**rest, name: given})
    with pytest.raises(FillbenchError, match=f"--{name} 1 "):
        resolve({**rest, "keep": None}, yaml(tmp_path / "my.yaml", f"keep: 0.5\n{name}: 1"))
    with pytest.raises(FillbenchError, match=f"--{name} 300.0 .*300 for a count"):
        resolve({**rest, name: 300.0})
    assert getattr(resolve({**rest, name: 1.0}), name) == 1.0


def test_a_class_name_with_a_comma_goes_in_quotes_or_in_a_list(tmp_path):
    names = ("normal, benign", 'a "b"', "c")
    assert resolve({"minority": '"normal, benign", "a ""b""",c'}).minority == names
    assert resolve({"minority": list(names)}).minority == names
    assert resolve({"minority": "a\nb"}).minority == ("a", "b")
    text = "minority: ['normal, benign', 'a \"b\"', c]"
    assert resolve({}, yaml(tmp_path / "my.yaml", text)).minority == names


def test_how_images_are_read_is_set_from_the_shell_and_from_yaml_alike(tmp_path):
    text = "dataset: folder:x\nground: black\nbits: 12\ngroup: '(p)'\ndeduplicate: true\nmax-megapixels: 300\n"
    config = resolve({}, yaml(tmp_path / "my.yaml", text))
    flags = {"ground": "black", "bits": "12", "group": "(p)", "deduplicate": True, "max_megapixels": "300"}
    assert config == resolve({"dataset": "folder:x", **flags})
    assert (config.ground, config.bits, config.group, config.max_megapixels) == ("black", 12, "(p)", 300)


def test_yaml_keys_are_the_flags(tmp_path):
    text = "dataset: cifar10\nimbalance-ratio: 50\nprofile: longtail\nset: {dcgan.steps: 9}\ngenerators: [smote, gan]\n"
    config = resolve({"set": ("gan.steps=3",)}, yaml(tmp_path / "my.yaml", text))
    assert config.imbalance_ratio == 50
    assert config.generators == ("smote", "gan")
    assert config.set == {"dcgan": {"steps": 9}, "gan": {"steps": "3"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("datset: digits", "'datset'.*'dataset'"),
        ("- a\n- b", "keys and values"),
        ("a: [", "not valid YAML"),
        ("seeds: many", "seeds = 'many'"),
        ("set: 5", "set: 5 will not do"),
        ("set: [5]", "--set 5 will not do"),
        ("fill: .inf", "--fill inf"),
        ("minority: 8\nkeep: .nan", "--keep nan"),
    ],
)
def test_a_preset_file_that_will_not_do_says_why(tmp_path, text, message):
    with pytest.raises(FillbenchError, match=message):
        resolve({}, yaml(tmp_path / "my.yaml", text))


def test_nested_settings_are_the_flat_ones_and_null_is_not_given(tmp_path):
    text = "set: {smote: {neighbours: 5}, classifier: {lr: 0.1}}\nminority: null\ngenerators: null"
    config = resolve({}, yaml(tmp_path / "my.yaml", text))
    assert config.set["smote"] == {"neighbours": 5}
    assert config.set["classifier"] == {"batch_size": 64, "stem_stride": 2, "lr": 0.1}
    assert (config.minority, config.generators) == (("5", "6", "7", "8", "9"), ("all",))


def test_an_unknown_preset_gets_the_nearest_name_and_a_missing_file_its_path(tmp_path):
    with pytest.raises(FillbenchError, match="'digits'"):
        resolve({}, "digit")
    with pytest.raises(FillbenchError, match=r"none\.yaml"):
        resolve({}, str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"keep": "few"}, "--keep 'few'"),
        ({"seeds": "0"}, "--seeds 0"),
        ({"workers": "0"}, "--workers 0"),
        ({"dataset": "npz:x", "size": "1"}, "--size 1"),
        ({"dataset": "folder:x", "bits": "7"}, "--bits 7 will not do: give 8 to 16"),
        ({"dataset": "folder:x", "max_megapixels": "0"}, "--max-megapixels 0 will not do: give 1 or more"),
        ({"dataset": "folder:x", "group": "p"}, "--group 'p' has no group"),
        ({"dataset": "npz:x", "bits": "12"}, "--bits is for folder:DIR, not for npz:x"),
        ({"flip": True}, "--flip is for folder:DIR and npz:FILE, not for digits"),
        ({"ground": "grey"}, "ground = 'grey'"),
        ({"generators": ","}, "--generators"),
        ({"profile": "steep"}, "profile = 'steep'"),
        ({"set": ("dcgan=5",)}, "--set dcgan=5"),
        ({"profile": "longtail", "keep": "3"}, "--keep belongs"),
        ({"imbalance_ratio": "3"}, "--imbalance-ratio belongs"),
        ({"dataset": "mnist", "keep": "3"}, "--keep needs --minority"),
        ({"sedes": "3"}, "'seeds'"),
    ],
)
def test_a_flag_that_will_not_do_says_why(flags, message):
    with pytest.raises(FillbenchError, match=message):
        resolve(flags)


def test_a_file_of_ones_own_lies_over_the_data_sets_preset(tmp_path):
    config = resolve({}, yaml(tmp_path / "my.yaml", "seeds: 2\nkeep: 10"))
    assert (config.seeds, config.keep, config.steps) == (2, 10, 240)
    assert config == resolve({"seeds": "2", "keep": "10"})


def as_text(config):
    """With settings as they are typed: their types are known once their generators are."""
    return {**config.__dict__, "set": {name: {k: str(v) for k, v in own.items()} for name, own in config.set.items()}}


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"seeds": "3"},
        {"profile": "longtail"},
        {"dataset": "npz:my file.npz", "minority": "a b,c", "keep": "1.0", "drop_validation": True},
        {
            "dataset": "mnist",
            "profile": "longtail",
            "imbalance_ratio": "20",
            "set": ("gan.steps=3", "gan.lr=0.1"),
        },
        {"dataset": "folder:x", "minority": '"a, b",c', "ground": "black", "bits": "12", "deduplicate": True},
        {"dataset": "svhn", "plugin": ("a.py", "b.py"), "fill": "300", "generators": "smote,gan"},
    ],
)
def test_the_command_in_a_report_resolves_to_the_same_configuration(flags):
    from click.testing import CliRunner

    from fillbench import cli

    config = resolve(flags)
    given = {}

    def run(preset, **values):
        given.update(values)

    command = cli._run_options(cli.click.command()(cli.click.option("--preset")(run)))
    outcome = CliRunner().invoke(command, shlex.split(command_of(config))[2:])
    assert outcome.exit_code == 0, outcome.output
    again = resolve(given)
    assert as_text(again) == as_text(config)
