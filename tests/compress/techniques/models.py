"""Models that make channel surgery hard, each a function of the module tf_keras, which no test imports before it runs."""


def _block(k, x, filters, **settings):
    x = k.Conv2D(filters, 3, padding="same", use_bias=False, **settings)(x)
    return k.ReLU()(k.BatchNormalization()(x))


def residual(tk):
    k = tk.layers
    inputs = tk.Input((8, 8, 3))
    x = _block(k, inputs, 8)
    y = k.Conv2D(8, 3, padding="same", name="second")(_block(k, x, 8))
    x = k.ReLU()(k.Add()([x, y]))
    y = k.Conv2D(16, 1, strides=2)(x)
    x = k.Add()([y, _block(k, x, 16, strides=2)])
    return tk.Model(inputs, k.Dense(3, activation="softmax")(k.GlobalAveragePooling2D()(x)))


def branches(tk):
    k = tk.layers
    inputs = tk.Input((8, 8, 3))
    x = _block(k, inputs, 8)
    left, right = _block(k, x, 6), k.MaxPooling2D(3, 1, "same")(k.Conv2D(10, 5, padding="same", activation="tanh")(x))
    x = k.Concatenate()([left, x, right])
    x = k.Add()([k.Conv2D(24, 1)(x), x])  # joins channels of three layers with one's
    return tk.Model(inputs, k.Dense(4)(k.Flatten()(k.AveragePooling2D()(x))))


def depthwise(tk):
    k = tk.layers
    inputs = tk.Input((8, 8, 3))
    x = _block(k, inputs, 8)
    x = k.ReLU(6.0)(k.BatchNormalization()(k.DepthwiseConv2D(3, depth_multiplier=2)(k.ZeroPadding2D()(x))))
    x = _block(k, x, 12)
    x = k.SeparableConv2D(10, 3, depth_multiplier=2, activation="relu")(x)
    return tk.Model(inputs, k.Dense(4)(k.Reshape((10,))(k.GlobalMaxPooling2D(keepdims=True)(x))))


def squeeze_and_excite(tk):
    k = tk.layers
    inputs = tk.Input((8, 8, 3))
    x = k.Conv2D(12, 3, activation="swish")(inputs)
    gate = k.Dense(4, activation="relu")(k.GlobalAveragePooling2D()(x))
    gate = k.Reshape((1, 1, 12))(k.Dense(12, activation="sigmoid")(gate))
    x = k.PReLU(shared_axes=[1, 2])(k.Multiply()([x, gate]))
    return tk.Model(inputs, k.Dense(4)(k.GlobalAveragePooling2D()(x)))


def even(tk):
    """Layers of one size: they reach each multiple at the same step."""
    k = tk.layers
    inputs = x = tk.Input((8, 8, 3))
    for _ in range(4):
        x = k.Conv2D(32, 3, padding="same", activation="relu")(x)
    return tk.Model(inputs, k.Dense(4)(k.GlobalAveragePooling2D()(x)))


def generator(tk):
    k = tk.layers
    return tk.Sequential(
        [
            tk.Input((5,)),
            k.Dense(4 * 4 * 6),
            k.Reshape((4, 4, 6)),
            k.LeakyReLU(),
            k.Conv2DTranspose(8, 3, strides=2, padding="same"),
            k.UpSampling2D(),
            k.Conv2D(1, 3, padding="same"),
        ]
    )


def nested(tk):
    k = tk.layers
    inner = tk.Input((8, 8, 3))
    body = tk.Model(inner, _block(k, _block(k, inner, 6), 8), name="body")
    inputs = tk.Input((8, 8, 3))
    x = k.Dropout(0.2)(k.GlobalAveragePooling2D()(body(inputs, training=False)))
    return tk.Model(inputs, k.Dense(2)(x))


def siamese(tk):
    k = tk.layers
    left, right = tk.Input((8, 8, 3)), tk.Input((8, 8, 3))
    first, second = k.Conv2D(8, 3, activation="relu"), k.Conv2D(6, 3)
    ends = [k.GlobalAveragePooling2D()(second(first(x))) for x in (left, right)]
    return tk.Model([left, right], k.Dense(2)(k.Subtract()(ends)))


def sequence(tk):
    k = tk.layers
    inputs = tk.Input((12, 3))
    x = k.Conv1D(8, 3, activation="relu")(k.DepthwiseConv1D(3)(k.Conv1D(6, 3)(inputs)))
    return tk.Model(inputs, k.Dense(2)(k.Dense(5, activation="relu")(k.Flatten()(k.MaxPooling1D()(x)))))


def recurrent(tk):
    k = tk.layers
    inputs = tk.Input((12, 3))
    x = k.Dense(8, activation="relu", name="free")(k.Conv1D(6, 3, name="before")(inputs))
    return tk.Model(inputs, k.Dense(2)(k.LSTM(5, name="memory")(k.Conv1D(4, 3, name="held")(x))))


FOLLOWED = (residual, branches, depthwise, squeeze_and_excite, generator, nested, siamese, sequence, recurrent)


def wide(tk):
    """Return a plain model wide enough for shares to come out closely."""
    k = tk.layers
    inputs = tk.Input((8, 8, 3))
    x = _block(k, _block(k, _block(k, inputs, 32), 48), 64)
    return tk.Model(inputs, k.Dense(4)(k.Dense(40, activation="relu")(k.GlobalAveragePooling2D()(x))))
