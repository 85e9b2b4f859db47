"""One side of the engine benchmark: the same training steps in PyTorch.

Usage: torch_step.py NETWORK BATCH STEPS   prints {"seconds": [...]}, one number a step.
       torch_step.py NETWORK BATCH STEPS DEVICE PRECISION,...
prints a list with one object for each precision: whole steps on cpu or cuda, with the
pictures sent as bytes from pinned memory and the loss fetched in each ("seconds"), and
what a step takes where nobody waits for it ("stream").
"""
import json
import subprocess
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(2 if len(sys.argv) < 5 else torch.get_num_threads())


class Fire(nn.Module):
    def __init__(self, i, s, e):
        super().__init__()
        self.s, self.a, self.b = nn.Conv2d(i, s, 1), nn.Conv2d(s, e, 1), nn.Conv2d(s, e, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.s(x), inplace=True)
        return torch.cat([F.relu(self.a(x), inplace=True), F.relu(self.b(x), inplace=True)], 1)


def pool():
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def squeezenet():
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(True), nn.MaxPool2d(3, 2), Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2),
        Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2), Fire(256, 48, 192), Fire(384, 48, 192),
        Fire(384, 64, 256), Fire(512, 64, 256), nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU(True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten()), 224


def caffenet():
    def lrn():
        return nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(True), pool(), lrn(),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(True), pool(), lrn(),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(True), nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(True),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(True), pool(), nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(),
        nn.Linear(4096, 1000)), 227


class Bottleneck(nn.Module):
    def __init__(self, i, m, stride):
        super().__init__()
        o = 4 * m
        self.body = nn.Sequential(
            nn.Conv2d(i, m, 1, stride, bias=False), nn.BatchNorm2d(m), nn.ReLU(True),
            nn.Conv2d(m, m, 3, padding=1, bias=False), nn.BatchNorm2d(m), nn.ReLU(True),
            nn.Conv2d(m, o, 1, bias=False), nn.BatchNorm2d(o))
        self.short = nn.Identity() if i == o else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x), inplace=True)


def resnet50():
    layers, i = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)], 64
    for m, n, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for k in range(n):
            layers.append(Bottleneck(i, m, stride if k == 0 else 1))
            i = 4 * m
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)), 224


def alone(network, batch, steps):
    """The engine's step on the CPU: no pictures are sent."""
    torch.manual_seed(1)
    net, size = network()
    net.train()
    opt = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    x = torch.rand(batch, 3, size, size) * 2 - 1
    y = torch.arange(batch) * 3 % 10
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        opt.zero_grad()
        F.cross_entropy(net(x), y).backward()
        opt.step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


def memory(device):
    """What is taken of the first GPU's memory, by anyone."""
    if device != "cuda":
        return 0
    try:
        out = subprocess.run(["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"], capture_output=True, text=True)
        return int(out.stdout) << 20
    except (OSError, ValueError):
        return 0


def whole(network, batch, steps, device, precision, before):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.backends.cudnn.benchmark = True
    lower = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    torch.manual_seed(1)
    net, size = network()
    net.train().to(device)
    opt = torch.optim.SGD(net.parameters(), lr=3e-4, momentum=0.9, weight_decay=5e-4)
    scaler = torch.amp.GradScaler(device, enabled=precision == "float16")
    x = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    y = torch.arange(batch) * 3 % 10
    if device == "cuda":
        x, y = x.pin_memory(), y.pin_memory()

    def step():
        pictures, labels = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
        opt.zero_grad()
        with torch.autocast(device, dtype=lower or torch.bfloat16, enabled=lower is not None):
            loss = F.cross_entropy(net((pictures.float() - 128) * (1 / 64)), labels)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
        return loss

    seconds, losses = [], []
    for _ in range(steps):
        start = time.perf_counter()
        losses.append(step().item())  # waits for the loss
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    stream = (time.perf_counter() - start) / steps
    return {"seconds": seconds, "stream": stream, "losses": losses, "memory_bytes": memory(device) - before}


def wholes(network, batch, steps, device, precisions):
    results = []
    for precision in precisions:
        before = memory(device)
        try:
            results.append(whole(network, batch, steps, device, precision, before))
        except Exception as e:  # one precision that fails must not hide the others
            results.append({"error": f"{type(e).__name__}: {e}"})
        results[-1]["precision"] = precision
        if device == "cuda":
            torch.cuda.empty_cache()
    return results


network, batch, steps = {"squeezenet": squeezenet, "caffenet": caffenet, "resnet50": resnet50}[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
if len(sys.argv) > 4:
    print(json.dumps(wholes(network, batch, steps, sys.argv[4], sys.argv[5].split(","))))
else:
    print(json.dumps(alone(network, batch, steps)))
