"""Exports torchvision's classification families, with random weights, to ONNX files.

    python3 bench/zoo/export.py FOLDER [OPSET ...] && for f in FOLDER/*.onnx; do bin/orchestrator model check $f || echo FAILED $f; done

tells which of them this program can train. Needs torch and torchvision.
"""
import os
import sys
import warnings

import torch
import torchvision.models as models

FAMILIES = {
    "alexnet": 224, "vgg11_bn": 64, "resnet18": 64, "resnext50_32x4d": 64, "wide_resnet50_2": 64, "densenet121": 64,
    "googlenet": 96, "inception_v3": 128, "mobilenet_v2": 64, "mobilenet_v3_small": 64, "efficientnet_b0": 64,
    "efficientnet_v2_s": 64, "mnasnet0_5": 64, "shufflenet_v2_x0_5": 64, "regnet_y_400mf": 64, "regnet_x_400mf": 64,
    "squeezenet1_1": 64, "convnext_tiny": 64, "swin_t": 64, "swin_v2_t": 64, "vit_b_32": 64, "maxvit_t": 224,
}


def build(name, size):
    options = {"weights": None}
    if name in ("vit_b_32",):
        options["image_size"] = size
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=False)
    return getattr(models, name)(**options).eval()


def main():
    folder, opsets = sys.argv[1], [int(o) for o in sys.argv[2:]] or [13, 16]
    os.makedirs(folder, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, size in FAMILIES.items():
        for opset in opsets:
            try:
                torch.manual_seed(0)
                model = build(name, size)
                # As exported for inference: BatchNormalization would be folded into Conv.
                torch.onnx.export(
                    model, torch.randn(2, 3, size, size), os.path.join(folder, f"{name}-{opset}.onnx"), opset_version=opset,
                    training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                    input_names=["images"], output_names=["scores"], dynamic_axes={"images": {0: "N"}, "scores": {0: "N"}},
                )
            except Exception as err:  # an exporter that cannot is no fault of ours
                print(f"{name} at opset {opset} cannot be exported: {str(err).splitlines()[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
