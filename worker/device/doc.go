// Package device finds out which devices a machine has to train on, and which of
// them a worker is to use.
//
// NVIDIA's GPUs are asked for with nvidia-smi, which comes with the driver, and
// looked for under /proc/driver/nvidia where it is missing (as in small
// containers). A GPU that is split into instances (MIG) counts as so many devices.
// Of these, a process may see only some: CUDA_VISIBLE_DEVICES, which Slurm and
// Kubernetes' device plugin set, is heeded, and indices count within it, as they do
// for CUDA itself.
//
// A trainer process is shown one device (see Env), which is number 0 to it. That
// the ONNX Runtime library can use the device is another matter, which package
// worker/providers finds out.
package device
