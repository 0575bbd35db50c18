"""Graphs for a bundle of two classes of 4-px grey images: an honest one, and others that lie behind right hashes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundles.bundle import write_manifest
from tellapart.bundles.manifest import KERAS, SEEN, Manifest
from tellapart.data.preprocessing import Preprocessing
from tellapart.engine import core, write_graph

Node = Any
Op = Any
"""The module of OpenVINO's operations; it has no types."""
Answers = Callable[[Op, Node, Node], Node]
"""From the images and honest probabilities of them to what the graph answers."""


def write_lie(folder: Path, answers: Answers, *, taken: type = np.uint8, extra_input: bool = False) -> Path:
    """Write a sealed bundle whose graph answers these."""
    core()
    import openvino
    from openvino import opset13 as op

    folder.mkdir()
    images = op.parameter([-1, 4, 4, 1], taken, name="pictures")
    flat = op.reshape(op.convert(images, "f32"), np.array([0, -1], np.int64), special_zero=True)
    weights = np.tile(np.array([-0.001, 0.001], np.float32), (16, 1))
    probs = op.softmax(op.matmul(flat, weights, transpose_a=False, transpose_b=False), axis=1)
    inputs = [images, op.parameter([-1, 2], np.float32)] if extra_input else [images]
    answer = op.add(answers(op, images, probs), inputs[1]) if extra_input else answers(op, images, probs)
    write_graph(openvino.Model([answer], inputs, "lie"), folder / "model.xml")
    (folder / KERAS).write_bytes(b"not needed to predict")
    (folder / SEEN).write_text("{}")
    facts = Manifest("lie", ("dark", "light"), Preprocessing(4, 4, 1), {"precision": "float32"}, {}, "0" * 64, None)
    write_manifest(folder, facts)
    return folder


def honest(op: Op, images: Node, probs: Node) -> Node:
    return op.multiply(probs, np.float32(1))


def not_numbers(op: Op, images: Node, probs: Node) -> Node:
    return op.sqrt(op.subtract(probs, np.float32(2)))


def beyond_one(op: Op, images: Node, probs: Node) -> Node:
    return op.subtract(op.multiply(probs, np.float32(9)), np.float32(4))


def half_the_sum(op: Op, images: Node, probs: Node) -> Node:
    return op.multiply(probs, np.float32(0.5))


def one_for_all(op: Op, images: Node, probs: Node) -> Node:
    return op.reduce_mean(probs, np.array([0], np.int64), keep_dims=True)


def another_rank(op: Op, images: Node, probs: Node) -> Node:
    return op.unsqueeze(probs, np.int64(2))


def whole_numbers(op: Op, images: Node, probs: Node) -> Node:
    return op.convert(probs, "i32")


def memory_bomb(op: Op, images: Node, probs: Node) -> Node:
    """A constant of 800 GB, folded while the graph is compiled."""
    ones = op.broadcast(op.constant(np.ones(1, np.float32)), np.array([200_000_000_000], np.int64))
    total = op.reduce_sum(op.exp(ones), np.array([0], np.int64), keep_dims=False)
    return op.add(probs, op.multiply(total, np.float32(0)))


def endless(op: Op, images: Node, probs: Node) -> Node:
    """A loop of 2 ** 62 rounds."""
    import openvino

    row = op.parameter([-1, 2], np.float32)
    body = openvino.Model([op.constant(np.array([True])), op.sin(row)], [row], "body")
    loop = op.loop(op.constant(np.int64(2**62)), op.constant(np.array(True)))
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(row, probs.output(0), body.results[1].output(0))
    return op.softmax(loop.get_iter_value(body.results[1].output(0), -1), axis=1)
