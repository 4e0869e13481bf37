/* The part of LiteRT's C interface that the agent uses: structures, symbols, versions. The same as
 * device_agents/linux/edgeprof_agent/litert_abi.py.
 *
 * Source: google-ai-edge/LiteRT, litert/c/litert_model_types.h (01d971c: sizes are asserted there), litert_model.h,
 * litert_compiled_model.h (eb6d71f), litert_tensor_buffer.h (0136cf2), litert_opaque_options.h (09c849e),
 * litert_common.h (068d4da), litert_profiler_event.h (7292615), litert_profiler.h; argument lists as in ai-edge-litert
 * 2.3.0. Before 2.2 they differ. */
#ifndef EDGEPROF_LITERT_ABI_H
#define EDGEPROF_LITERT_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OLDEST_MAJOR 2
#define OLDEST_MINOR 2
#define NEWEST_MAJOR 2
#define ALIGNMENT_BYTES 64 /* LITERT_HOST_MEMORY_BUFFER_ALIGNMENT */
#define HARDWARE_CPU 1     /* kLiteRtHwAcceleratorCpu */
#define PER_TENSOR 1       /* kLiteRtQuantizationPerTensor */
#define MAX_RANK 8
#define RANK_BITS 0x7F /* seven bits of rank, one of "has strides" */
#define NO_MEMORY 2    /* kLiteRtStatusErrorMemoryAllocationFailure */

typedef struct { /* LiteRtLayout */
    uint32_t bits;
    int32_t dimensions[MAX_RANK];
    uint32_t strides[MAX_RANK];
} Layout;

typedef struct { /* LiteRtRankedTensorType */
    int32_t element;
    Layout layout;
} TensorType;

typedef struct { /* LiteRtQuantizationPerTensor */
    float scale;
    int64_t zero_point;
} PerTensor;

typedef struct { /* ProfiledEventData */
    const char *tag;
    int32_t type;
    uint64_t start_us, elapsed_us;
    size_t memory[6];
    int64_t index, graph;
    int32_t source;
} ProfiledEvent;

_Static_assert(sizeof(Layout) == 68, "LiteRtLayout");
_Static_assert(sizeof(TensorType) == 72, "LiteRtRankedTensorType");
_Static_assert(sizeof(PerTensor) == 16, "LiteRtQuantizationPerTensor");
_Static_assert(sizeof(void *) != 8 || sizeof(ProfiledEvent) == 104, "ProfiledEventData");

/* Each function of the library: its name after `LiteRt`, and its arguments. All return a status, 0 for success. */
#define LITERT_FUNCTIONS(X)                                                                                            \
    X(CreateEnvironment, (int, const void *, void **))                                                                 \
    X(CreateModelFromFile, (void *, const char *, void **))                                                            \
    X(GetNumModelSignatures, (void *, size_t *))                                                                       \
    X(GetModelSignature, (void *, size_t, void **))                                                                    \
    X(GetSignatureSubgraph, (void *, void **))                                                                         \
    X(GetNumModelSubgraphs, (void *, size_t *))                                                                        \
    X(GetModelSubgraph, (void *, size_t, void **))                                                                     \
    X(GetNumSubgraphInputs, (void *, size_t *))                                                                        \
    X(GetNumSubgraphOutputs, (void *, size_t *))                                                                       \
    X(GetSubgraphInput, (void *, size_t, void **))                                                                     \
    X(GetSubgraphOutput, (void *, size_t, void **))                                                                    \
    X(GetNumSubgraphOps, (void *, size_t *))                                                                           \
    X(GetSubgraphOp, (void *, size_t, void **))                                                                        \
    X(GetOpCode, (void *, int *))                                                                                      \
    X(GetNumSignatureInputs, (void *, size_t *))                                                                       \
    X(GetNumSignatureOutputs, (void *, size_t *))                                                                      \
    X(GetSignatureInputTensorByIndex, (void *, size_t, void **))                                                       \
    X(GetSignatureOutputTensorByIndex, (void *, size_t, void **))                                                      \
    X(GetTensorName, (void *, const char **))                                                                          \
    X(GetRankedTensorType, (void *, TensorType *))                                                                     \
    X(GetQuantizationTypeId, (void *, int *))                                                                          \
    X(GetPerTensorQuantization, (void *, PerTensor *))                                                                 \
    X(CreateOptions, (void **))                                                                                        \
    X(SetOptionsHardwareAccelerators, (void *, int))                                                                   \
    X(CreateOpaqueOptions, (const char *, void *, void (*)(void *), void **))                                          \
    X(AddOpaqueOptions, (void *, void *))                                                                              \
    X(CreateCompiledModel, (void *, void *, void *, void **))                                                          \
    X(RunCompiledModel, (void *, size_t, size_t, void **, size_t, void **))                                            \
    X(CompiledModelResizeInputTensor, (void *, size_t, size_t, const int *, size_t))                                   \
    X(GetCompiledModelOutputTensorLayouts, (void *, size_t, size_t, Layout *, bool))                                   \
    X(GetCompiledModelInputBufferRequirements, (void *, size_t, size_t, void **))                                      \
    X(GetCompiledModelOutputBufferRequirements, (void *, size_t, size_t, void **))                                     \
    X(GetTensorBufferRequirementsBufferSize, (void *, size_t *))                                                       \
    X(CreateTensorBufferFromHostMemory, (const TensorType *, void *, size_t, void (*)(void *), void **))

#define PROFILER_FUNCTIONS(X)                                                                                          \
    X(CompiledModelGetProfiler, (void *, void **))                                                                     \
    X(StartProfiler, (void *))                                                                                         \
    X(StopProfiler, (void *))                                                                                          \
    X(GetNumProfilerEvents, (void *, int *))                                                                           \
    X(GetProfilerEvents, (void *, int, ProfiledEvent *))

#define DECLARED(name, arguments) extern int(*lt_##name) arguments;
LITERT_FUNCTIONS(DECLARED)
PROFILER_FUNCTIONS(DECLARED)
extern void (*lt_DestroyCompiledModel)(void *);

#endif
