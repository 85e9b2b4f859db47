"""How far float32 strays from float64 when the same training starts a rounding error away.

One run cannot tell a bad engine from bad luck: when a unit's input rounds to the other side of zero, ReLU sends
its gradient elsewhere, and from then on two correct runs part. So this repeats the reference run from several starts
whose weights differ by less than 2^-22 relative, in PyTorch's float64 and float32, and prints both losses of each step
as JSON. TestGoldenSpread (trainer/compile) trains from the same starts through ONNX Runtime and compares medians.

    python3 bench/golden/spread.py MODEL.onnx GOLDEN.json STARTS > trainer/compile/testdata/spread_NAME.json

Needs torch and onnx. The formulas are those of the reference runs: see the README beside GOLDEN.json.
"""
import json
import sys

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F

NUDGE = 2.0**-22


def value(n, seed, scale):
    k = numpy.arange(n, dtype=numpy.uint32)
    with numpy.errstate(over="ignore"):
        h = k * numpy.uint32(2654435761) + numpy.uint32((seed * 40503 + 12345) % 2**32)
        h ^= h >> numpy.uint32(15)
        h *= numpy.uint32(2246822519)
        h ^= h >> numpy.uint32(13)
        h *= numpy.uint32(3266489917)
        h ^= h >> numpy.uint32(16)
    return ((2 * h.astype(numpy.float64) / 2**32 - 1) * scale).astype(numpy.float32)


def weights(graph, settings, start):
    """Parameters and running statistics by name, as float32, numbered in the order of their first use.

    Where the learning rate has multipliers, the network is pretrained: the layer that they name is new, the others start
    from the file. Otherwise the file has no weights."""
    pretrained, new = bool(settings["lr_mult"]), settings["lr_mult"]
    shapes, scales = {}, set()
    for t in graph.initializer:
        if t.data_type == onnx.TensorProto.FLOAT:
            shapes[t.name] = list(t.dims)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for n in graph.node:
        if n.op_type == "ConstantOfShape":
            shapes[n.output[0]] = [int(d) for d in constants[n.input[0]]]
        if n.op_type == "BatchNormalization":
            scales.add(n.input[1])
    out, statistics = {}, set()
    for n in graph.node:
        for i, name in enumerate(n.input):
            if n.op_type == "ConstantOfShape" or name not in shapes or name in out:
                continue
            shape, number = shapes[name], len(out) + 1
            if name in new:
                shape = [settings["classes"]] + shape[1:]
            size = int(numpy.prod(shape))
            w = numpy.zeros(size, numpy.float32)
            if pretrained and name not in new:
                w = constants[name].reshape(-1)
            elif pretrained and len(shape) >= 2:
                w = value(size, number, 0.02)
            elif len(shape) >= 2:
                w = value(size, number, float(numpy.float32((6 / numpy.prod(shape[1:])) ** 0.5)))
            elif name in scales:
                w = numpy.ones(size, numpy.float32)
            if start:
                w = (w.astype(numpy.float64) * (1 + value(size, number + 1000 * start, NUDGE).astype(numpy.float64))).astype(numpy.float32)
            out[name] = torch.from_numpy(w.reshape(shape))
            if n.op_type == "BatchNormalization" and i > 2:
                statistics.add(name)
    return out, statistics


def forward(graph, logits, values):
    for n in graph.node:
        a = {x.name: onnx.helper.get_attribute_value(x) for x in n.attribute}
        if n.op_type == "ConstantOfShape":
            continue
        x = [values.get(i) for i in n.input]
        if n.op_type in ("Conv", "MaxPool", "AveragePool"):
            p = a.get("pads", [0, 0, 0, 0])
            strides = a.get("strides", [1, 1])
            if n.op_type == "Conv":
                y = F.conv2d(F.pad(x[0], (p[1], p[3], p[0], p[2])), x[1], x[2] if len(x) > 2 else None, strides, 0, 1, a.get("group", 1))
            elif n.op_type == "MaxPool":
                y = F.max_pool2d(F.pad(x[0], (p[1], p[3], p[0], p[2]), value=float("-inf")), a["kernel_shape"], strides)
            else:
                assert not any(p)
                y = F.avg_pool2d(x[0], a["kernel_shape"], strides)
        elif n.op_type == "Relu":
            y = F.relu(x[0])
        elif n.op_type == "LRN":
            y = F.local_response_norm(x[0], a["size"], a["alpha"], a["beta"], a.get("bias", 1.0))
        elif n.op_type == "Gemm":
            y = x[0] @ (x[1].T if a.get("transB") else x[1]) + x[2]
        elif n.op_type == "BatchNormalization":
            y = F.batch_norm(x[0], None, None, x[1], x[2], True, 0, a.get("epsilon", 1e-5))
        elif n.op_type == "Concat":
            y = torch.cat(x, a["axis"])
        elif n.op_type == "GlobalAveragePool":
            y = x[0].mean((2, 3), keepdim=True)
        elif n.op_type == "Sum":
            y = sum(x[1:], x[0])
        elif n.op_type == "Reshape":
            y = x[0].reshape(x[0].shape[0], -1)
        elif n.op_type == "Dropout":
            y = x[0]
        else:
            raise SystemExit(f"{n.op_type} is not known here")
        values[n.output[0]] = y
        if n.output[0] == logits:
            return y.reshape(y.shape[0], -1)


def losses(graph, settings, start, dtype):
    s = settings
    named, statistics = weights(graph, s, start)
    params = {k: v.to(dtype).requires_grad_(k not in statistics) for k, v in named.items()}
    velocity = {k: torch.zeros_like(v) for k, v in params.items()}
    images = torch.from_numpy(value(s["batch"] * 3 * s["size"] ** 2, 1000, s["input_scale"])).to(dtype)
    images = images.reshape(s["batch"], 3, s["size"], s["size"])
    labels = torch.tensor([3 * k % s["classes"] for k in range(s["batch"])])
    data = next(i.name for i in graph.input if i.name not in named)
    out = []
    for _ in range(s["steps"]):
        loss = F.cross_entropy(forward(graph, s["logits"], {**params, data: images}), labels)
        out.append(loss.item())
        trained = [k for k in params if k not in statistics]
        gradients = torch.autograd.grad(loss, [params[k] for k in trained])
        with torch.no_grad():
            for k, g in zip(trained, gradients):
                rate = s["learning_rate"] * s["lr_mult"].get(k, 1)
                velocity[k] = s["momentum"] * velocity[k] + rate * (g + s["weight_decay"] * params[k])
                params[k] -= velocity[k]
    return out


def main():
    model, golden, starts = sys.argv[1:]
    graph = onnx.load(model).graph
    with open(golden) as f:
        settings = json.load(f)["settings"]
    runs = []
    for start in range(int(starts)):
        runs.append({"start": start, "float64": losses(graph, settings, start, torch.float64), "float32": losses(graph, settings, start, torch.float32)})
        print(f"start {start} done", file=sys.stderr)
    json.dump({"torch": torch.__version__, "nudge": NUDGE, "runs": runs}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
