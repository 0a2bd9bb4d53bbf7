/// Version of what libreseda_cuda.so offers. Opening the library loads LibTorch's CUDA half, which registers itself.
extern "C" __attribute__((visibility("default"))) int reseda_cuda_abi() { return 1; }
