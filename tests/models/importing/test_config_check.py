"""Which descriptions of models are refused, and what the refusal names."""

import importlib
from typing import Any

import pytest

from tellapart.errors import WeightsError
from tellapart.models.importing import config_check
from tellapart.models.importing.config_check import MAX_DEPTH, require_built_in, without_training

Described = dict[str, Any]


def layer(kind: str = "Dense", module: str | None = "keras.layers", **config: object) -> Described:
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "suspect", **config},
        "registered_name": None,
    }


def model(*layers: Described, **more: object) -> Described:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "whole", "layers": list(layers)}, **more}


def function(name: str, module: str = "builtins") -> Described:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


MARSHALLED = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}

HOSTILE = [
    ("Lambda", layer("Lambda", function=MARSHALLED)),
    ("Lambda", layer("Lambda", None, function=["4wEAAAA=", None, None])),
    ("Lambda", layer("Lambda", "keras.src.layers.core.lambda_layer")),
    ("__lambda__", layer(activation=MARSHALLED)),
    ("__typespec__", layer(activation={"class_name": "__typespec__", "config": [], "spec_name": "Popen"})),
    ("TypeSpec", layer(shape={"class_name": "TypeSpec", "type_spec": "tf.RaggedTensorSpec", "serialized": []})),
    ("CompositeTensor", layer(shape={"class_name": "CompositeTensor", "spec": {}, "tensors": []})),
    ("system", layer("system", "os")),
    ("Popen", layer("Popen", "subprocess")),
    ("Dense", layer("Dense", "evil.layers")),
    ("get_file", layer("get_file", "keras.utils")),
    ("load_model", layer("load_model", "keras.saving")),
    ("TFSMLayer", layer("TFSMLayer", filepath="/tmp/saved")),  # noqa: S108
    ("TorchModuleWrapper", layer("TorchModuleWrapper", module="UEsDBA==")),
    ("JaxLayer", layer("JaxLayer")),
    ("StringLookup", layer("StringLookup", vocabulary="/etc/passwd")),
    ("TextVectorization", layer("TextVectorization")),
    ("RNN", layer("RNN", cell=layer("LSTMCell"))),
    ("Mine>Swish", {**layer(), "registered_name": "Mine>Swish"}),
    ("my_swish", layer(activation="my_swish")),
    ("my_activation", layer(activation=function("my_activation"))),
    ("my_init", layer(kernel_initializer="my_init")),
    ("MyInit", layer(kernel_initializer=layer("MyInit", "my.code"))),
    ("MyRegularizer", layer(kernel_regularizer=layer("MyRegularizer", "my.code"))),
    ("my_constraint", layer(bias_constraint="my_constraint")),
    ("Policy", layer(dtype={"class_name": "Policy", "module": "my.code", "config": {}})),
]


@pytest.mark.parametrize(("name", "hostile"), HOSTILE)
@pytest.mark.parametrize("place", ["alone", "nested", "wrapped", "doubly wrapped", "in a field nobody knows"])
def test_code_from_elsewhere_is_refused_by_name_at_any_place(name: str, hostile: Described, place: str) -> None:
    whole = {
        "alone": model(hostile),
        "nested": model(layer("Flatten"), {**model(model(hostile)), "class_name": "Functional", "module": None}),
        "wrapped": model(layer("TimeDistributed", layer=hostile)),
        "doubly wrapped": model(layer("Bidirectional", layer=layer("LSTM"), backward_layer=hostile)),
        "in a field nobody knows": model(layer(anything=[[{"here": hostile}]])),
    }[place]
    with pytest.raises(WeightsError) as refusal:
        require_built_in(whole)
    assert f"'{name}'" in str(refusal.value)
    assert "suspect" in str(refusal.value)


def test_the_built_in_parts_of_a_classifier_pass() -> None:
    require_built_in(
        model(
            layer("InputLayer", batch_shape=[None, 32, 32, 3]),
            layer("Conv2D", activation="relu", kernel_initializer="glorot_uniform", bias_regularizer="l1_l2"),
            layer("Conv2D", kernel_initializer=layer("HeNormal", "keras.initializers"), kernel_constraint="MaxNorm"),
            layer("Dense", activation=layer("LeakyReLU"), dtype=layer("DTypePolicy", "keras")),
            layer("Dense", activation=function("relu", "keras.activations"), seed=10**18, shared_object_id=10**15),
            layer("TimeDistributed", layer=layer("Dense")),
            {"class_name": "Add", "module": "keras.src.ops.numpy", "config": {}, "registered_name": "Add"},
        )
    )


def test_kerass_own_training_configuration_passes_and_is_removed() -> None:
    compiled = {"optimizer": layer("Adam", "keras.optimizers"), "loss": function("categorical_crossentropy")}
    inner = model(layer(), compile_config=compiled)
    whole = model(inner, compile_config=compiled)
    require_built_in(whole)
    kept = without_training(whole)
    assert "compile_config" not in str(kept)
    assert kept == model(model(layer()))


@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": function("my_loss")},
        {"loss": layer("MyLoss", "my.code")},
        {"metrics": [{**layer("F1Score", "keras.metrics"), "registered_name": "Mine>F1"}]},
        {"optimizer": layer("Adam", "os")},
    ],
)
def test_custom_training_code_is_refused(compiled: Described) -> None:
    with pytest.raises(WeightsError, match="is made by"):
        require_built_in(model(layer(), compile_config=compiled))


def test_an_optimizer_is_not_accepted_as_a_layer() -> None:
    with pytest.raises(WeightsError, match="'Adam'"):
        require_built_in(model(layer("Adam", "keras.optimizers")))


def test_endless_nesting_and_enormous_numbers_are_refused() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(WeightsError, match="nested more than"):
        require_built_in(model(layer(anything=deep)))
    with pytest.raises(WeightsError, match=r"'suspect' has the number 1,000,000,000,000"):
        require_built_in(model(layer(units=10**12)))


@pytest.mark.parametrize("kind", [None, 3, ["Dense"], {"a": 1}])
def test_a_class_name_that_is_not_a_text_is_refused(kind: object) -> None:
    with pytest.raises(WeightsError, match="as Keras never does"):
        require_built_in({**model(), "class_name": kind})


def test_untrusted_text_is_escaped() -> None:
    with pytest.raises(WeightsError) as refusal:
        require_built_in(model(layer("\x1b[2J\nok", **{"name": "\x1b]0;owned\x07"})))
    assert str(refusal.value).isprintable()


def test_every_allowed_name_exists_in_keras() -> None:
    homes = (
        (config_check.LAYERS, "keras.layers"),
        (config_check.INITIALIZERS, "keras.initializers"),
        (config_check.REGULARIZERS, "keras.regularizers"),
        (config_check.CONSTRAINTS, "keras.constraints"),
        (config_check.ACTIVATIONS, "keras.activations"),
        (config_check.ARITHMETIC, "keras.src.ops.numpy"),
        (config_check.FUNCTIONS, "keras.src.ops.nn"),
    )
    for names, home in homes:
        assert {name for name in names if not hasattr(importlib.import_module(home), name)} == set()
