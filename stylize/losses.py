"""The formulas: pure functions of tensors, one a formula, in the papers' symbols.

Everywhere F and P are activations of the picture and of its target, shape (N, H, W, C); G and A are
Gram matrices of the picture and of its target, shape (N, C, C), already divided by the number of
positions M = H W (see :func:`gram_matrix`). Every function returns one number a picture, shape (N,).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from stylize.types import Tensor

_TINY = 1e-12


def _sum(value: Tensor) -> Tensor:
    """The sum over every axis but the first."""
    return tf.reduce_sum(value, axis=list(range(1, value.shape.rank)))


def _size(value: Tensor) -> Tensor:
    """The number of elements a picture has, in the tensor's own type."""
    return tf.cast(tf.reduce_prod(tf.shape(value)[1:]), value.dtype)


def gram_matrix(features: Tensor) -> Tensor:
    """G_ij = 1/M sum_k F_ik F_jk, the correlations of the C filters over M = H W positions.

    Gatys et al. 2016, eq. 3, divided by M so that a style picture of another size is a target of the same
    scale (as Gatys' own published code does; the paper's eq. 4 divides by M^2 afterwards).

    Parameters
    ----------
    features
        Activations, shape (N, H, W, C).

    Returns
    -------
    Tensor
        Shape (N, C, C).
    """
    shape = tf.shape(features)
    flat = tf.reshape(features, (shape[0], shape[1] * shape[2], features.shape[3]))
    positions = tf.cast(shape[1] * shape[2], features.dtype)
    return tf.matmul(flat, flat, transpose_a=True) / positions


def guided_gram_matrices(features: Tensor, guides: Tensor) -> Tensor:
    """G^r_ij = sum_k t_rk F_ik F_jk / sum_k t_rk: Gram matrices of regions.

    Gatys et al. 2017 (arXiv 1611.07865), section 4: their guidance channels T_r are the roots of t_r over its
    sum.

    Parameters
    ----------
    features
        Activations of one picture, shape (1, H, W, C).
    guides
        How far each position belongs to each region, shape (1, H, W, R), in [0, 1].

    Returns
    -------
    Tensor
        Shape (R, C, C).
    """
    flat = tf.reshape(features, (-1, features.shape[3]))
    weights = tf.reshape(guides, (-1, guides.shape[3]))
    grams = [
        tf.matmul(flat, flat * weights[:, region, None], transpose_a=True)
        / tf.maximum(tf.reduce_sum(weights[:, region]), _TINY)
        for region in range(guides.shape[3])
    ]
    return tf.stack(grams)


def half_squared_error(features: Tensor, target: Tensor) -> Tensor:
    """1/2 sum (F - P)^2: the content loss of Gatys et al. 2016, eq. 1."""
    return 0.5 * _sum(tf.square(features - target))


def quarter_mean_squared_error(features: Tensor, target: Tensor) -> Tensor:
    """1/(4 n_H n_W n_C) sum (F - P)^2: the content loss of the Coursera exercise."""
    return 0.25 * _sum(tf.square(features - target)) / _size(features)


def gram_squared_error(gram: Tensor, target: Tensor) -> Tensor:
    """1/(4 N^2) sum (G - A)^2 with N filters: the style loss of Gatys et al. 2016, eq. 4.

    Their 1/(4 N^2 M^2) of Gram matrices that are not divided by M is the same number; the Coursera
    exercise's 1/(4 n_C^2 (n_H n_W)^2) is that formula in other letters.
    """
    return 0.25 * _sum(tf.square(gram - target)) / _size(gram)


def relative_squared_error(value: Tensor, target: Tensor) -> Tensor:
    """sum (X - T)^2 / sum T^2: 0 is reached, 1 is as wrong as saying nothing; free of units."""
    return _sum(tf.square(value - target)) / (_sum(tf.square(target)) + _TINY)


def weighted_squared_error(images: Tensor, reference: Tensor, weights: Tensor) -> Tensor:
    """1/D sum c (x - w)^2 over the D values of a picture: the temporal loss of Ruder et al. 2016, eq. 4.

    Parameters
    ----------
    images, reference
        x and w, shape (N, H, W, 3), in [0, 1].
    weights
        c a pixel, at least 0, shape (N, H, W, 1).
    """
    return _sum(weights * tf.square(images - reference)) / _size(images)


def root_mean_square_error(value: Tensor, target: Tensor) -> Tensor:
    """sqrt(mean (X - T)^2), with a zero gradient (not a NaN) where it is zero."""
    mean = _sum(tf.square(value - target)) / _size(value)
    positive = mean > 0.0
    return tf.where(positive, tf.sqrt(tf.where(positive, mean, 1.0)), 0.0)


@tf.custom_gradient
def _differences(images: Tensor) -> Any:
    """What pixels differ in from those before and above them, rows of pixels as one axis of values.

    Shapes (N, H, (W - 1) * 3) and (N, H - 1, W * 3). Cut from whole rows and put together from them again:
    slices of four axes and their gradients take TensorFlow a tenth of a whole evaluation.
    """
    shape = tf.shape(images)
    rows = tf.reshape(images, (shape[0], shape[1], shape[2] * 3))

    def gradient(right: Tensor, down: Tensor) -> Tensor:
        column, row = tf.zeros_like(rows[:, :, :3]), tf.zeros_like(rows[:, :1])
        found = tf.concat([column, right], axis=2) - tf.concat([right, column], axis=2)
        found += tf.concat([row, down], axis=1) - tf.concat([down, row], axis=1)
        return tf.reshape(found, shape)

    return (rows[:, :, 3:] - rows[:, :, :-3], rows[:, 1:] - rows[:, :-1]), gradient


def _by_pixel(values: Tensor) -> Tensor:
    """The sum over the colours of rows of values: (N, H, W * 3) to (N, H, W)."""
    shape = tf.shape(values)
    return tf.reduce_sum(tf.reshape(values, (shape[0], shape[1], shape[2] // 3, 3)), axis=3)


def total_variation(images: Tensor) -> Tensor:
    """sum over pixels of (x_{i,j+1} - x_ij)^2 + (x_{i+1,j} - x_ij)^2 (Mahendran & Vedaldi 2015, beta = 2).

    Parameters
    ----------
    images
        Shape (N, H, W, 3), in [0, 1].
    """
    right, down = _differences(images)
    return _sum(tf.square(right)) + _sum(tf.square(down))


def weighted_total_variation(images: Tensor, weights: Tensor) -> Tensor:
    """sum m (x_p - x_q)^2 over neighbours p, q, over 3 sum m; m is the mean of their two weights.

    Parameters
    ----------
    images
        Shape (N, H, W, 3), in [0, 1].
    weights
        A weight a pixel, at least 0, shape (N, H, W, 1).
    """
    right, down = (_by_pixel(tf.square(apart)) for apart in _differences(images))
    across = 0.5 * (weights[:, :, 1:, 0] + weights[:, :, :-1, 0])
    along = 0.5 * (weights[:, 1:, :, 0] + weights[:, :-1, :, 0])
    total = _sum(across * right) + _sum(along * down)
    return total / (3.0 * _sum(weights) + _TINY)


def excess_total_variation(images: Tensor, weights: Tensor, allowed: Tensor) -> Tensor:
    """mean(m) max(V - E, 0)^2 / (V + E): how far the weighted total variation V exceeds the allowed E.

    Nothing below E, with no kink there; V - 3 E far above it.

    Parameters
    ----------
    images, weights
        As in :func:`weighted_total_variation`.
    allowed
        E, at least 0.
    """
    found = weighted_total_variation(images, weights)
    over = tf.square(tf.maximum(found - allowed, 0.0)) / (found + allowed + _TINY)
    return tf.reduce_mean(weights, axis=(1, 2, 3)) * over


def mean_total_variation(images: Tensor) -> Tensor:
    """:func:`total_variation` a value: the same weight means the same at every size."""
    return total_variation(images) / _size(images)
