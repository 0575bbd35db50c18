"""Allowlist of Keras classes and functions that contain no code and read no files, for imported models."""

from collections.abc import Mapping


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
    Absolute Add Clip Concatenate Divide Exp Flip Maximum Mean Minimum Multiply Negative Power Reshape Sqrt Square
    Squeeze Subtract Sum Take Transpose TrueDivide ZerosLike
    """
)
FUNCTIONS = _words("Elu Gelu HardSigmoid HardSilu LeakyRelu Relu Relu6 Selu Sigmoid Silu Softmax Softplus")
DATA = frozenset({"__keras_tensor__", "__numpy__", "__tensor__", "__tuple__"})

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
TRAINING_MODULES = ("keras.optimizers", "keras.optimizers.schedules", "keras.losses", "keras.metrics")
TRAINING_FUNCTIONS = _words(
    """
    accuracy binary_accuracy binary_crossentropy binary_focal_crossentropy categorical_accuracy
    categorical_crossentropy categorical_focal_crossentropy categorical_hinge hinge kl_divergence mean_absolute_error
    mean_squared_error sparse_categorical_accuracy sparse_categorical_crossentropy sparse_top_k_categorical_accuracy
    squared_hinge top_k_categorical_accuracy
    """
)
SHORT_NAMES = frozenset({"zero", "one", "uniform", "normal"})
