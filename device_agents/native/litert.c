/* LiteRT on the CPU: buffers of our own in host memory. What the calls are: litert_abi.h. */
#include "agent.h"
#include "litert_abi.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define XNNPACK_LINE "Created TensorFlow Lite XNNPACK delegate"
#define SLACK_BYTES 128 /* XNNPACK reads up to 16 bytes past a tensor's end */
#define MOST_BYTES (SIZE_MAX / 8)

#define DEFINED(name, arguments) int(*lt_##name) arguments;
LITERT_FUNCTIONS(DEFINED)
PROFILER_FUNCTIONS(DEFINED)
void (*lt_DestroyCompiledModel)(void *);

#define CHECKED(name, code, ...) checked(fault, stderr_mark(), #name, code, lt_##name(__VA_ARGS__))
#define TRY(name, ...) do { if (!CHECKED(name, "model_refused", __VA_ARGS__)) return false; } while (0)

/* LiteRtElementType. */
static const struct { int element; const char *name; int bits; } elements[] = {
    {1, "float32", 32}, {2, "int32", 32}, {3, "uint8", 8},     {4, "int64", 64},    {6, "bool", 8},
    {7, "int16", 16},   {8, "complex64", 64}, {9, "int8", 8},  {10, "float16", 16}, {11, "float64", 64},
    {13, "uint64", 64}, {16, "uint32", 32},   {17, "uint16", 16}, {18, "int4", 4},  {19, "bfloat16", 16},
};

static const struct { int status; const char *text; } statuses[] = {
    {1, "invalid argument"}, {2, "memory allocation failure"}, {3, "runtime failure"}, {4, "missing input tensor"},
    {5, "unsupported"}, {6, "not found"}, {500, "file I/O error"}, {501, "invalid flatbuffer"},
    {502, "dynamic loading failed"}, {504, "compilation failed"}, {1000, "index out of bounds"},
    {4000, "unsupported runtime version"},
};

/* Operators that may keep something from one run to the next: as in litert_abi.py. */
static const int stateful_codes[] = {16, 24, 27, 32, 35, 44, 46, 52, 129, 136, 137, 138, 139, 142, 143, 144, 146, 148, 149};

static int element_bits(int element) {
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (elements[i].element == element) return elements[i].bits;
    return 0;
}

const char *element_name(int element) {
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (elements[i].element == element) return elements[i].name;
    return "unknown";
}

static const char *status_text(int status) {
    static char number[32];
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status) return statuses[i].text;
    snprintf(number, sizeof number, "status %d", status);
    return number;
}

static bool checked(Fault *fault, int64_t mark, const char *name, const char *code, int status) {
    char said[2048];
    if (!status) return true;
    stderr_words(mark, said, sizeof said);
    code = status == NO_MEMORY ? "child_out_of_memory" : code;
    return failed(fault, code, "LiteRt%s: %s: %s", name, status_text(status), *said ? said : "no reason given");
}

static bool version_fits(const char *version, Fault *fault) {
    int major, minor;
    char more;
    int found = sscanf(version, "%4d.%4d%c", &major, &minor, &more);
    if (found < 2 || (found == 3 && more != '.'))
        return failed(fault, "runtime_failed", "runtime.json: `version` is `%.80s`", version);
    if (major > NEWEST_MAJOR || major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
        return failed(fault, "runtime_failed", "LiteRT %.80s: this agent knows the C interface of 2.2 to 2.x", version);
    return true;
}

static bool symbols(void *library, bool per_op, const char *path, Fault *fault) {
    const char *missing = NULL, *unseen = NULL;
    /* POSIX lets a pointer from dlsym be a function's. */
#define FOUND(name, arguments) if (!(*(void **)&lt_##name = dlsym(library, "LiteRt" #name))) missing = "LiteRt" #name;
    LITERT_FUNCTIONS(FOUND)
    if (!(*(void **)&lt_DestroyCompiledModel = dlsym(library, "LiteRtDestroyCompiledModel"))) missing = "LiteRtDestroyCompiledModel";
    if (missing) return failed(fault, "runtime_failed", "%s lacks %s", path, missing);
#define SEEN(name, arguments) if (!(*(void **)&lt_##name = dlsym(library, "LiteRt" #name))) unseen = "LiteRt" #name;
    PROFILER_FUNCTIONS(SEEN)
    if (per_op && (unseen || sizeof(ProfiledEvent) != 104))
        return failed(fault, "no_profiler", "the library lacks %s", unseen ? unseen : "a 64-bit layout");
    return true;
}

bool litert_load(Model *model, const char *path, const char *version, Fault *fault) {
    if (!version_fits(version, fault)) return false;
    model->version = version;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        bool full = strstr(why, "allocate memory") || strstr(why, "failed to map segment");
        return failed(fault, full ? "child_out_of_memory" : "runtime_failed", "%s", why);
    }
    if (!symbols(library, model->per_op, path, fault)) return false;
    return CHECKED(CreateEnvironment, "runtime_failed", 0, NULL, &model->env);
}

/* One side of the model: the calls that ask for it. */
typedef struct {
    int (*signature_count)(void *, size_t *), (*graph_count)(void *, size_t *);
    int (*signature_tensor)(void *, size_t, void **), (*graph_tensor)(void *, size_t, void **);
} Side;

static bool counted(int (*count)(void *, size_t *), void *of, size_t *out, Fault *fault) {
    if (!checked(fault, stderr_mark(), "GetNum…", "model_refused", count(of, out))) return false;
    return *out <= MOST_TENSORS || failed(fault, "model_refused", "the model has %zu inputs or outputs", *out);
}

/* Finds the tensors in the graph's order, and for each its place in the signature, which may have another order. */
static bool ordered(const Side *side, void *signature, void *graph, void **tensors, Tensor *out, size_t *count, Fault *fault) {
    static void *named[MOST_TENSORS];
    size_t in_signature, in_graph, matched = 0;
    if (!counted(side->signature_count, signature, &in_signature, fault)) return false;
    if (!counted(side->graph_count, graph, &in_graph, fault)) return false;
    for (size_t i = 0; i < in_signature; i++)
        if (!checked(fault, stderr_mark(), "GetSignature…", "model_refused", side->signature_tensor(signature, i, &named[i]))) return false;
    for (size_t i = 0; i < in_graph; i++)
        if (!checked(fault, stderr_mark(), "GetSubgraph…", "model_refused", side->graph_tensor(graph, i, &tensors[i]))) return false;
    for (size_t i = 0; i < in_graph; i++)
        for (size_t k = 0; k < in_signature; k++)
            if (named[k] == tensors[i]) {
                out[i].place = k;
                matched++;
                break;
            }
    *count = in_signature;
    bool same = in_signature == in_graph && matched == in_graph;
    for (size_t i = 0; same && i < in_graph; i++)
        for (size_t k = 0; k < i; k++) same = same && tensors[i] != tensors[k];
    for (size_t i = 0; !same && i < in_signature; i++) { /* a signature over a part of the graph, or one tensor twice */
        tensors[i] = named[i];
        out[i].place = i;
    }
    return true;
}

static bool described(void *tensor, Tensor *out, Fault *fault) {
    TensorType kind = {0};
    const char *name = NULL;
    int how = 0;
    TRY(GetRankedTensorType, tensor, &kind);
    TRY(GetTensorName, tensor, &name);
    TRY(GetQuantizationTypeId, tensor, &how);
    if (!element_bits(kind.element))
        return failed(fault, "model_refused", "an input or output has element type %d", kind.element);
    out->element = kind.element;
    out->rank = (int)(kind.layout.bits & RANK_BITS);
    if (out->rank > MAX_RANK) return failed(fault, "model_refused", "an input or output has %d dimensions", out->rank);
    memcpy(out->shape, kind.layout.dimensions, sizeof out->shape);
    out->name = strdup(name ? name : "");
    out->quantized = how == PER_TENSOR;
    if (!out->quantized) return true;
    PerTensor found = {0};
    TRY(GetPerTensorQuantization, tensor, &found);
    out->scale = found.scale;
    out->zero_point = found.zero_point;
    return true;
}

static bool finds_state(Model *model, Fault *fault) {
    size_t graphs = 0, ops = 0;
    TRY(GetNumModelSubgraphs, model->model, &graphs);
    for (size_t number = 0; number < graphs; number++) {
        void *graph = NULL, *op = NULL;
        TRY(GetModelSubgraph, model->model, number, &graph);
        TRY(GetNumSubgraphOps, graph, &ops);
        for (size_t index = 0; index < ops; index++) {
            int code = 0;
            TRY(GetSubgraphOp, graph, index, &op);
            TRY(GetOpCode, op, &code);
            for (size_t i = 0; i < sizeof stateful_codes / sizeof *stateful_codes; i++)
                model->stateful = model->stateful || stateful_codes[i] == code;
        }
    }
    return true;
}

static bool add_option(void *options, const char *name, const char *payload, Fault *fault) {
    void *extra = NULL;
    if (!CHECKED(CreateOpaqueOptions, "runtime_failed", name, strdup(payload), free, &extra)) return false;
    return CHECKED(AddOpaqueOptions, "runtime_failed", options, extra);
}

static bool made_options(Model *model, Fault *fault) {
    char threads[40];
    snprintf(threads, sizeof threads, "num_threads = %d\n", model->threads);
    if (!CHECKED(CreateOptions, "runtime_failed", &model->options)) return false;
    if (!CHECKED(SetOptionsHardwareAccelerators, "runtime_failed", model->options, HARDWARE_CPU)) return false;
    if (!add_option(model->options, "xnnpack", threads, fault)) return false;
    return !model->per_op || add_option(model->options, "runtime_options_string", "enable_profiling = true\n", fault);
}

static bool has_mark(const char *path, Fault *fault) {
    char head[8] = {0};
    FILE *file = fopen(path, "rbe");
    if (!file) return failed_by_system(fault, "cannot read the model");
    size_t got = fread(head, 1, sizeof head, file);
    fclose(file);
    /* file_identifier of schema.fbs */
    if (got == 8 && !memcmp(head + 4, "TFL3", 4)) return true;
    return failed(fault, "model_refused", "not a .tflite file: no TFL3 at byte 4");
}

bool litert_open(Model *model, const char *path, Fault *fault) {
    static void *ins[MOST_TENSORS], *outs[MOST_TENSORS];
    Side in = {lt_GetNumSignatureInputs, lt_GetNumSubgraphInputs, lt_GetSignatureInputTensorByIndex, lt_GetSubgraphInput};
    Side out = {lt_GetNumSignatureOutputs, lt_GetNumSubgraphOutputs, lt_GetSignatureOutputTensorByIndex, lt_GetSubgraphOutput};
    size_t signatures = 0;
    void *signature = NULL, *graph = NULL;
    if (!has_mark(path, fault)) return false;
    TRY(CreateModelFromFile, model->env, path, &model->model);
    TRY(GetNumModelSignatures, model->model, &signatures);
    if (!signatures) return failed(fault, "model_refused", "the runtime finds no graph in the model");
    TRY(GetModelSignature, model->model, 0, &signature);
    TRY(GetSignatureSubgraph, signature, &graph);
    if (!ordered(&in, signature, graph, ins, model->inputs, &model->input_count, fault)) return false;
    if (!ordered(&out, signature, graph, outs, model->outputs, &model->output_count, fault)) return false;
    for (size_t i = 0; i < model->input_count; i++)
        if (!described(ins[i], &model->inputs[i], fault)) return false;
    for (size_t i = 0; i < model->output_count; i++)
        if (!described(outs[i], &model->outputs[i], fault)) return false;
    return finds_state(model, fault) && made_options(model, fault);
}

/* Compiles the model; unknown dimensions of its inputs are 1. */
static bool compiled(Model *model, Fault *fault) {
    TRY(CreateCompiledModel, model->env, model->model, model->options, &model->compiled);
    for (size_t i = 0; i < model->input_count; i++) {
        Tensor *tensor = &model->inputs[i];
        int dims[MAX_RANK], unknown = 0;
        for (int k = 0; k < tensor->rank; k++) {
            unknown += tensor->shape[k] < 0;
            dims[k] = tensor->shape[k] < 0 ? 1 : tensor->shape[k];
        }
        if (unknown) TRY(CompiledModelResizeInputTensor, model->compiled, 0, tensor->place, dims, (size_t)tensor->rank);
    }
    return true;
}

static bool sized(Tensor *tensor, Fault *fault) {
    uint64_t bits = (uint64_t)element_bits(tensor->element);
    for (int k = 0; k < tensor->rank; k++) {
        uint64_t size = tensor->shape[k] < 0 ? 1 : (uint64_t)tensor->shape[k];
        if (size && bits > MOST_BYTES / size) return failed(fault, "model_refused", "a tensor is larger than memory can be");
        bits *= size;
    }
    tensor->size = (size_t)((bits + 7) / 8);
    return true;
}

/* Gives a tensor memory of at least what the compiled model wants, 64-byte aligned. */
static bool buffered(Tensor *tensor, void *requirements, Fault *fault) {
    size_t room = 0;
    TRY(GetTensorBufferRequirementsBufferSize, requirements, &room);
    room = room > tensor->size ? room : tensor->size;
    void *at = NULL;
    if (room > MOST_BYTES || posix_memalign(&at, ALIGNMENT_BYTES, room + SLACK_BYTES))
        return failed(fault, "child_out_of_memory", "MemoryError: no room for a tensor of %zu bytes", room);
    memset(at, 0, room + SLACK_BYTES);
    TensorType kind = {tensor->element, {(uint32_t)tensor->rank, {0}, {0}}};
    for (int k = 0; k < tensor->rank; k++) kind.layout.dimensions[k] = tensor->shape[k] < 0 ? 1 : tensor->shape[k];
    TRY(CreateTensorBufferFromHostMemory, &kind, at, room, NULL, &tensor->handle);
    tensor->at = at;
    return true;
}

static bool input_buffers(Model *model, Fault *fault) {
    for (size_t i = 0; i < model->input_count; i++) {
        Tensor *tensor = &model->inputs[i];
        void *wanted = NULL;
        if (!sized(tensor, fault)) return false;
        TRY(GetCompiledModelInputBufferRequirements, model->compiled, 0, tensor->place, &wanted);
        if (!buffered(tensor, wanted, fault)) return false;
        model->in_handles[tensor->place] = tensor->handle;
    }
    return true;
}

static bool output_buffers(Model *model, Fault *fault) {
    static Layout layouts[MOST_TENSORS];
    /* true: allocate now. Else the first run does, and a model that cannot be prepared would fail only there. */
    TRY(GetCompiledModelOutputTensorLayouts, model->compiled, 0, model->output_count, layouts, true);
    for (size_t i = 0; i < model->output_count; i++) {
        Tensor *tensor = &model->outputs[i];
        void *wanted = NULL;
        int rank = (int)(layouts[tensor->place].bits & RANK_BITS);
        if (rank > MAX_RANK) return failed(fault, "model_refused", "an output has %d dimensions", rank);
        tensor->rank = rank;
        memcpy(tensor->shape, layouts[tensor->place].dimensions, sizeof tensor->shape);
        if (!sized(tensor, fault)) return false;
        TRY(GetCompiledModelOutputBufferRequirements, model->compiled, 0, tensor->place, &wanted);
        if (!buffered(tensor, wanted, fault)) return false;
        model->out_handles[tensor->place] = tensor->handle;
    }
    return true;
}

bool litert_allocate(Model *model, Fault *fault) {
    int64_t mark = stderr_mark();
    if (!compiled(model, fault)) return false;
    model->has_delegate = stderr_has(mark, XNNPACK_LINE);
    if (!input_buffers(model, fault) || !output_buffers(model, fault)) return false;
    model->mark = stderr_mark();
    return true;
}

int litert_run(const Model *model) {
    return lt_RunCompiledModel(model->compiled, 0, model->input_count, (void **)model->in_handles, model->output_count,
                               (void **)model->out_handles);
}

/* LiteRT offers no call that forgets state: a model that may have any is compiled afresh. */
bool litert_reset(Model *model, Fault *fault) {
    if (!model->stateful) return true;
    lt_DestroyCompiledModel(model->compiled);
    return compiled(model, fault);
}

bool litert_failure(const Model *model, int status, Fault *fault) {
    char said[2048];
    stderr_words(model->mark, said, sizeof said);
    return failed(fault, "invoke_failed", "the run failed: %s: %s", status_text(status), *said ? said : "no reason given");
}

size_t litert_sample_bytes(const Model *model) {
    size_t size = 0;
    for (size_t i = 0; i < model->input_count; i++) size += model->inputs[i].size;
    return size;
}

void litert_fill(Model *model, const void *sample) {
    const char *at = sample;
    for (size_t i = 0; i < model->input_count; i++) {
        if (model->inputs[i].size) memcpy(model->inputs[i].at, at, model->inputs[i].size);
        at += model->inputs[i].size;
    }
}

bool litert_profiler(Model *model, void **profiler, Fault *fault) {
    if (!CHECKED(CompiledModelGetProfiler, "no_profiler", model->compiled, profiler)) return false;
    return *profiler || failed(fault, "no_profiler", "LiteRT %s gives no profiler for this model", model->version);
}
