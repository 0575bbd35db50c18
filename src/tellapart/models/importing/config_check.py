"""Check of the nested configuration from which Keras rebuilds a model.

Every class and function it names must be in `keras_allowlist`; anything else is refused before Keras reads it.
"""

import re
from collections.abc import Mapping
from functools import cache

from tellapart.errors import WeightsError

TRAINING_MODULES = ("keras.optimizers", "keras.optimizers.schedules", "keras.losses", "keras.metrics")
MAX_DEPTH = 100  # levels of lists and objects; ten nested models have 80
MAX_INTEGER = 10_000_000  # units, filters, sides; more could only be meant to exhaust memory
ANY_SIZE = ("shared_object_id", "seed")
COMPILED = "compile_config"
"""The field of optimizers, losses and metrics, which only training needs."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Left out: Lambda, TFSMLayer, JaxLayer, FlaxLayer and TorchModuleWrapper, which run code; the lookup and text layers,
# which read files; cells and RNN, which take any class.
LAYERS = _words(
    """
    InputLayer Activation ActivityRegularization Add AlphaDropout Attention AdditiveAttention Average
    AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CenterCrop Concatenate
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose ConvLSTM1D ConvLSTM2D Cropping1D Cropping2D
    Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout ELU EinsumDense Embedding Flatten GRU GaussianDropout
    GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity LSTM LayerNormalization
    LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention Multiply Normalization
    PReLU Permute RMSNormalization RandomBrightness RandomContrast RandomCrop RandomFlip RandomRotation
    RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN
    Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """
)
MODELS = frozenset({"Functional", "Model", "Sequential"})
INITIALIZERS = _words(
    """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
    """
)
REGULARIZERS = frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"})
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"})
ACTIVATIONS = _words(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid
    sparsemax squareplus swish tanh tanh_shrink threshold
    """
)
# Operations that arithmetic on tensors adds to a model, as in `x / 255` or keras.ops.relu(x).
ARITHMETIC = _words(
    """
    Absolute Add Clip Concatenate Divide Exp Flip GetItem Maximum Mean Minimum Multiply Negative Power Reshape Sqrt
    Square Squeeze Stack Subtract Sum Take Transpose TrueDivide ZerosLike
    """
)
FUNCTIONS = _words("Elu Gelu HardSigmoid HardSilu LeakyRelu Relu Relu6 Selu Sigmoid Silu Softmax Softplus")
DATA = frozenset({"__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__", "__tuple__"})

BUILT_IN: Mapping[str | None, frozenset[str]] = {
    # Without a module, as in .h5 files, Keras looks the name up among its own layers, initializers and so on.
    None: LAYERS | MODELS | INITIALIZERS | REGULARIZERS | CONSTRAINTS | DATA,
    "keras": MODELS | {"DTypePolicy"},
    "keras.models": MODELS,
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    "keras.dtype_policies": frozenset({"DTypePolicy"}),
    "keras.layers": LAYERS,
    "keras.initializers": INITIALIZERS,
    "keras.regularizers": REGULARIZERS,
    "keras.constraints": CONSTRAINTS,
    "keras.src.ops.numpy": ARITHMETIC,
    "keras.src.ops.nn": FUNCTIONS,
    "keras.src.applications.convnext": frozenset({"LayerScale"}),
    "keras.src.applications.inception_resnet_v2": frozenset({"CustomScaleLayer"}),
}
TRAINING_FUNCTIONS = _words(
    """
    accuracy binary_accuracy binary_crossentropy binary_focal_crossentropy categorical_accuracy
    categorical_crossentropy categorical_focal_crossentropy categorical_hinge hinge kl_divergence mean_absolute_error
    mean_squared_error sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy
    squared_hinge top_k_categorical_accuracy
    """
)
SHORT_NAMES = frozenset({"zero", "one", "uniform", "normal"})


def require_built_in(description: object) -> None:
    """Check that a model's configuration names only Keras's own classes. Raises WeightsError with the other name."""
    _walk(description, "the model itself", 0, training=False)


def without_training(value: object) -> object:
    """Remove optimizers, losses and metrics from a configuration, so that they are never built."""
    if isinstance(value, dict):
        return {key: without_training(item) for key, item in value.items() if key != COMPILED}
    return [without_training(item) for item in value] if isinstance(value, list) else value


def safe_text(name: object) -> str:
    """Escape and shorten untrusted text, so that it can be printed."""
    return ascii(name)[:80]


def _walk(value: object, owner: str, depth: int, *, training: bool) -> None:
    if depth > MAX_DEPTH:
        raise WeightsError(f"the model's description is nested more than {MAX_DEPTH} deep, too deeply for a classifier")
    if isinstance(value, dict):
        if "class_name" in value:
            owner = _layer_name(value, owner)
            _require_known(value, owner, training=training)
        for key, item in value.items():
            _require_known_name(key, item, owner)
            if key not in ANY_SIZE:
                _walk(item, owner, depth + 1, training=training or key == COMPILED)
    elif isinstance(value, list):
        for item in value:
            _walk(item, owner, depth + 1, training=training)
    elif isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise WeightsError(f"{owner} has the number {value:,}, at most {MAX_INTEGER:,} is allowed in a classifier")


def _layer_name(described: Mapping[str, object], owner: str) -> str:
    inner = described.get("config")
    name = described.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return f"layer {safe_text(name)}" if name else owner


def _require_known(described: Mapping[str, object], owner: str, *, training: bool) -> None:
    kind, module, registered = (described.get(key) for key in ("class_name", "module", "registered_name"))
    if not isinstance(kind, str) or not isinstance(module, str | None):
        raise WeightsError(f"{owner} names its class as Keras never does: {safe_text(kind)}")
    if kind == "function":
        _require_known_function(described.get("config"), module, owner, training=training)
    elif registered not in (None, kind):
        raise _refused(owner, registered, module)
    elif kind not in BUILT_IN.get(module, ()) and not (training and module in TRAINING_MODULES):
        raise _refused(owner, kind, module)


def _require_known_function(name: object, module: str | None, owner: str, *, training: bool) -> None:
    known = TRAINING_FUNCTIONS if training else ACTIVATIONS
    if not isinstance(name, str) or name not in known or module not in ("builtins", "keras.activations"):
        raise _refused(owner, name, module)


def _require_known_name(key: str, value: object, owner: str) -> None:
    """Check the functions and classes that layers name by strings, and that a layer's name is not a path."""
    if key == "name" and isinstance(value, str) and (re.search(r"[/\\]", value) or value.startswith("..")):
        raise WeightsError(
            f"{owner} has a name like a path; expected a name without / and \\. Rename it and save it again"
        )
    if isinstance(value, str) and (names := _allowed_names(key)) and _normalise(value) not in names:
        raise _refused(owner, value, f"its {key}")


@cache
def _allowed_names(key: str) -> frozenset[str]:
    """The allowed values of a field; empty where any text is allowed."""
    if key == "activation" or key.endswith("_activation"):
        return frozenset(map(_normalise, ACTIVATIONS))
    for ending, names in (
        ("_initializer", INITIALIZERS | SHORT_NAMES),
        ("_regularizer", REGULARIZERS),
        ("_constraint", CONSTRAINTS),
    ):
        if key.endswith(ending):
            return frozenset(map(_normalise, names))
    return frozenset()


def _normalise(name: str) -> str:
    return name.replace("_", "").lower()


def _refused(owner: str, kind: object, origin: object) -> WeightsError:
    origin = f" ({safe_text(origin)})" if origin else ""
    return WeightsError(
        f"{owner} is made by {safe_text(kind)}{origin}, which is not among the Keras classes that import allows: it "
        f"would run code from elsewhere. Rebuild the model from built-in layers, or train one here"
    )
