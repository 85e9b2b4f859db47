"""Exports some of timm's families, with random weights, to ONNX files of opset 17.

    python3 bench/zoo/export_timm.py FOLDER && go run ./bench/zoo FOLDER/*.onnx

Needs torch and timm.
"""
import os
import sys
import warnings

import timm
import torch

FAMILIES = {
    "mobilevit_xxs": 64, "mixer_s32_224": 224, "deit_tiny_patch16_224": 224, "levit_128s": 224, "ghostnet_050": 64, "rexnet_100": 64,
    "nf_resnet26": 64, "efficientformer_l1": 224, "hrnet_w18_small": 64, "tf_efficientnet_lite0": 64, "poolformer_s12": 64,
    "resmlp_12_224": 224, "gmlp_ti16_224": 224, "repvgg_a0": 64, "dla34": 64, "vovnet39a": 64, "res2net50_26w_4s": 64, "skresnet18": 64,
    "resnest14d": 64, "edgenext_xx_small": 64, "pvt_v2_b0": 64, "cspresnet50": 64, "hardcorenas_a": 64, "lcnet_050": 64, "fbnetc_100": 64,
    "xception41": 96, "seresnet18": 64, "ecaresnet26t": 64, "regnetz_b16": 64, "cait_xxs24_224": 224, "xcit_nano_12_p16_224": 224,
    "crossvit_tiny_240": 240, "twins_svt_small": 224, "visformer_tiny": 224, "tnt_s_patch16_224": 224, "mobileone_s0": 64, "fastvit_t8": 64,
    "inception_next_tiny": 64, "focalnet_tiny_srf": 64, "davit_tiny": 64, "convnextv2_atto": 64, "eca_nfnet_l0": 64,
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    warnings.simplefilter("ignore")
    for name, size in FAMILIES.items():
        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False, exportable=True).eval()
        torch.onnx.export(
            model, torch.randn(2, 3, size, size), os.path.join(folder, f"{name}-17.onnx"), opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
            input_names=["images"], output_names=["scores"], dynamic_axes={"images": {0: "N"}, "scores": {0: "N"}},
        )


if __name__ == "__main__":
    main()
