"""Blocks: halvings are undone without checkerboards, residual blocks begin as nothing, networks stay as they are."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops

from library.cats.models import blocks

IMAGES = np.random.default_rng(0).random((2, 75, 75, 3), dtype=np.float32)
LATENTS = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
SIZES = [75, 38, 19, 10, 5]
filters = st.lists(st.integers(1, 9), min_size=3, max_size=4)


def encoder(filters: str = "2-3-4", residuals: int = 1, activation: str = "relu", **options: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    return blocks.encoder(filters, 5, residuals=residuals, activation=activation, **options)


def decoder(
    filters: str = "2-3-4", residuals: int = 1, activation: str = "relu", upsampling: str = "transposed"
) -> keras.Model:
    keras.utils.set_random_seed(0)
    return blocks.decoder(filters, 5, residuals=residuals, activation=activation, upsampling=upsampling)


def of_kind(network: keras.Model, kind: type[layers.Layer]) -> list[layers.Layer]:
    return [layer for layer in network.layers if isinstance(layer, kind)]


@settings(max_examples=4, deadline=None)
@given(filters, st.sampled_from(["transposed", "bilinear"]))
def test_any_filters_lead_from_75_pixels_down_and_back(given_filters: list[int], upsampling: str) -> None:
    text, sizes = "-".join(map(str, given_filters)), SIZES[: len(given_filters) + 1]
    assert blocks.widths(text) == tuple(given_filters)
    down = [layer.output.shape[1:] for layer in of_kind(encoder(text, 0), layers.Conv2D)]
    up = [layer.output.shape[1:] for layer in of_kind(decoder(text, 0, upsampling=upsampling), layers.Activation)]
    assert down == [(size, size, width) for size, width in zip(sizes[1:], given_filters, strict=True)]
    assert up[::-1] == [(size, size, width) for size, width in zip(sizes, [3, *given_filters[:-1]], strict=False)]


def test_each_doubling_reaches_all_pixels_equally_often() -> None:
    for doubling in of_kind(decoder("2-3-4-5", residuals=0), layers.Conv2DTranspose):
        kernel, bias = doubling.get_weights()
        doubling.set_weights([np.ones_like(kernel), bias])
        (up,) = doubling(np.ones((1, *doubling.input.shape[1:]), dtype=np.float32)).numpy()
        np.testing.assert_array_equal(up[1:-1, 1:-1], 4 * kernel.shape[-1])  # the borders have fewer neighbors


def test_interpolation_leaves_an_even_image_even() -> None:
    network = decoder("2-3-4-5", residuals=0, upsampling="bilinear")
    assert not of_kind(network, layers.Conv2DTranspose)
    for doubling in of_kind(network, layers.UpSampling2D):
        np.testing.assert_allclose(doubling(np.ones((1, *doubling.input.shape[1:]), dtype=np.float32)), 1, rtol=1e-6)


@pytest.mark.parametrize("hidden", [0, 7])
def test_a_layer_before_the_last_is_there_if_it_is_asked_for(hidden: int) -> None:
    *before, last = of_kind(encoder(hidden=hidden, activation="silu"), layers.Dense)
    assert (last.units, last.activation) == (5, keras.activations.linear)
    assert [(one.units, one.activation) for one in before] == [(7, keras.activations.silu)] * bool(hidden)


@pytest.mark.parametrize("residuals", [1, 2])
def test_residual_blocks_begin_as_identity_and_can_become_something(residuals: int) -> None:
    for build, kind, inputs in ((decoder, layers.Conv2DTranspose, LATENTS), (encoder, layers.Conv2D, IMAGES)):
        network, shallow = build(residuals=residuals), build(residuals=0)
        assert len(network.weights) == len(shallow.weights) + 4 * residuals
        for one in (layers.Dense, kind):  # all weights but those of residual blocks
            for ours, theirs in zip(of_kind(shallow, one), of_kind(network, one), strict=False):
                ours.set_weights(theirs.get_weights())
        np.testing.assert_array_equal(network(inputs), shallow(inputs))
    before = network(IMAGES).numpy()
    last = of_kind(network, layers.Conv2D)[-1]
    assert not last.kernel.numpy().any()
    last.kernel.assign(ops.ones_like(last.kernel))
    assert (network(IMAGES).numpy() != before).all()


def test_a_residual_block_adds_two_convolutions() -> None:
    network = encoder(residuals=1)
    first, second = of_kind(network, layers.Conv2D)[-2:]
    second.kernel.assign(keras.random.normal(second.kernel.shape, seed=0))
    stages = keras.Model(network.input, [first.input, second.output, of_kind(network, layers.Flatten)[0].input])
    x, change, result = stages(IMAGES)
    np.testing.assert_allclose(result, x + change, rtol=1e-6)
    assert np.abs(change).max() > 0.01


@pytest.mark.parametrize("text", ["2-3-4", "3-3-3"])
def test_images_are_float32_from_0_to_1_and_no_other_layer_is_bounded(text: str) -> None:
    network = decoder(text)
    colours = of_kind(network, layers.Conv2DTranspose)[-1]
    colours.set_weights([1e4 * colours.kernel.numpy(), colours.bias.numpy()])
    images = network(LATENTS).numpy()
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    *hidden, last = of_kind(network, layers.Activation)
    assert last.activation is keras.activations.sigmoid
    assert [layer.activation for layer in hidden] == [keras.activations.relu] * 2


def test_pixels_and_colours_are_float32_where_the_rest_is_bfloat16() -> None:
    bytes_ = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(blocks.to_unit(bytes_)), bytes_.astype(np.float32) / 255, strict=True
    )
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = decoder(filters="3-3-3")
    finally:
        keras.config.set_dtype_policy("float32")
    assert network(LATENTS).numpy().dtype == np.float32
    hidden = of_kind(network, layers.Conv2DTranspose) + of_kind(network, layers.Activation)[:-1]
    assert {layer.compute_dtype for layer in hidden} == {"bfloat16"}


@pytest.mark.parametrize("activation", ["silu", "leaky_relu"])
def test_saved_networks_compute_the_same(activation: str, tmp_path: Path) -> None:
    down, up = encoder(activation=activation, hidden=6), decoder(activation=activation)
    for network, inputs in ((down, IMAGES), (up, LATENTS)):
        for weight in network.weights:  # those that begin as zero too
            weight.assign(keras.random.normal(weight.shape, seed=0) / 4)
        network.save(tmp_path / "network.keras")
        loaded = keras.saving.load_model(tmp_path / "network.keras")
        expected = network(inputs).numpy()
        np.testing.assert_array_equal(loaded(inputs), expected)
        assert not np.array_equal(*expected[:2])
