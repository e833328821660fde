#!/usr/bin/env python3
"""Measure how long the operators of transformer training take on one GPU.

    python3 tools/measure_operators.py --output operators.csv
    python3 tools/measure_operators.py --output operators.csv --only gemm attention

Needs PyTorch with CUDA and nothing else; takes about two minutes and 20 GB of GPU memory on an H100. The CSV has one
row per operator and size; the planner's efficiency curves for a GPU are fitted to such a file.

Columns: operator,dtype,groups,m,n,k,head_dim_v,causal,bytes,microseconds. A column an operator does not use is 0.

  gemm                 C[m,n] = A[m,k] B[k,n]. bf16: torch.mm with the memory layouts of a linear layer's forward,
                       input gradient and weight gradient. fp8: torch._scaled_mm, e4m3, one scale per tensor, B
                       column-major, fast accumulation, bf16 output (casts and transposes are not in the time).
  grouped_gemm         `groups` experts, m rows each, through torch._grouped_mm.
  attention_forward,   groups = batch * heads, m = queries, n = keys, k = head dimension of queries and keys.
  attention_backward   The faster of the cuDNN and the flash kernel; the log says which.
  copy add rmsnorm     memory-bound operators over bf16; `bytes` is what is read plus what is written. `cast` fp8 is
  swiglu softmax       bf16 to e4m3, `cast` bf16 is fp32 to bf16; `permute` gathers rows of 4096 elements in random
  permute cast         order. rmsnorm and swiglu as torch.compile fuses them. (On an H100 `copy` was seen a fifth slower
                       from 1 GiB on, where other operators were not; the cause is not known.)
  adam                 one fused AdamW step, everything fp32: 28 bytes a parameter.
  host_to_device,      pinned memory; `bytes` is what crosses the bus.
  device_to_host
  launch, launch_graph time per kernel in a chain of tiny dependent kernels, launched by PyTorch or by a CUDA graph.

Method: normal random data; every call of a timed sequence works on other memory, so that the cache holds little of it;
sequences are replayed through a CUDA graph, so that launches from the CPU do not count; CUDA events; the median of at
least 12 replays after warm-up. Timed sequences are short: the log also gives the rate of a matrix product held for
some seconds, when power limits the clock.
"""

import argparse
import itertools
import math
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import astuple, dataclass, fields

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

MIB = 1 << 20
POOL_ELEMENTS = 1200 * MIB  # random numbers that all inputs are cut from; holds the largest matrix
FOOTPRINT = 512 * MIB       # bytes that one timed sequence touches: many times the L2 cache
MAX_CALLS = 100             # calls in one timed sequence
ROW = 4096                  # row length of rmsnorm, softmax and permute


@dataclass
class Measurement:
    operator: str
    dtype: str = "bf16"
    groups: int = 0
    m: int = 0
    n: int = 0
    k: int = 0
    head_dim_v: int = 0
    causal: int = 0
    bytes: int = 0
    microseconds: float = 0.0

    def flops(self):
        """Floating-point operations; 0 for memory-bound operators."""
        if self.operator.startswith("attention"):
            pairs = self.groups * self.m * self.n * (0.5 if self.causal else 1.0)
            if self.operator == "attention_forward":  # scores, output
                return 2.0 * pairs * (self.k + self.head_dim_v)
            return 2.0 * pairs * (3 * self.k + 2 * self.head_dim_v)  # scores again; dP, dV; dQ, dK
        return 2.0 * max(self.groups, 1) * self.m * self.n * self.k

    def rate(self):
        """What the log shows: arithmetic or memory throughput."""
        if self.flops():
            return f"{self.flops() / self.microseconds * 1e-6:8.1f} TFLOP/s"
        return f"{self.bytes / self.microseconds * 1e-3:8.1f} GB/s"


class Pool:
    """Hands out consecutive views of one random buffer, starting over at its end."""

    def __init__(self):
        self.values = torch.randn(POOL_ELEMENTS, device="cuda", dtype=torch.bfloat16)
        self.values_fp8 = self.values.to(torch.float8_e4m3fn)
        self.position = 0

    def take(self, *shape, fp8=False):
        count = math.prod(shape)
        if count > POOL_ELEMENTS:
            raise ValueError(f"a tensor of {count} elements does not fit the pool of {POOL_ELEMENTS}")
        if self.position + count > POOL_ELEMENTS:
            self.position = 0
        source = self.values_fp8 if fp8 else self.values
        view = source[self.position:self.position + count].view(*shape)
        self.position += -(-count // 1024) * 1024  # keeps views aligned
        return view


class Bench:
    """Collects measurements, prints each, and writes the CSV after every family of operators."""

    def __init__(self, output):
        self.output = output
        self.rows = []
        self.pool = Pool()

    def add(self, row, note=""):
        self.rows.append(row)
        shape = "x".join(str(v) for v in (row.groups, row.m, row.n, row.k, row.head_dim_v) if v)
        size = shape or f"{row.bytes / MIB:.0f} MiB"
        print(f"{row.operator:18s} {row.dtype:5s} {size:26s} {'causal' if row.causal else '':6s} "
              f"{row.microseconds:12.2f} us {row.rate()} {note}", flush=True)

    def write(self):
        device = torch.cuda.get_device_properties(0)
        header = [
            f"# GPU: {device.name}, {device.multi_processor_count} multiprocessors, "
            f"{device.total_memory / 2**30:.0f} GiB, driver {query_driver('driver_version')}",
            f"# PyTorch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}",
            f"# date: {time.strftime('%Y-%m')}",
            f"# command: python3 {' '.join(sys.argv)}",
            ",".join(field.name for field in fields(Measurement)),
        ]
        with open(self.output, "w", encoding="utf-8") as file:
            file.write("\n".join(header) + "\n")
            for row in self.rows:
                *values, microseconds = astuple(row)
                file.write(",".join(str(value) for value in values) + f",{microseconds:.3f}\n")


def query_driver(names):
    """Values nvidia-smi gives for a comma-separated list of names, or 'unknown'."""
    command = ["nvidia-smi", "--id=0", f"--query-gpu={names}", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def time_replays(run, calls):
    """Median microseconds of one call when run() issues `calls` of them."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    run()
    begin.record()
    run()
    end.record()
    end.synchronize()
    repeats = min(60, max(12, int(30.0 / begin.elapsed_time(end))))  # at least about 30 ms
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    events[-1].synchronize()
    return statistics.median(a.elapsed_time(b) for a, b in itertools.pairwise(events)) * 1e3 / calls


def measure(make_call, bytes_touched, use_graph=True):
    """Microseconds of one call.

    make_call() prepares the inputs of one call in memory of their own and returns a function of no arguments that runs
    it and returns its result. Results are kept during a sequence, so that each call writes to other memory too.
    """
    calls = min(MAX_CALLS, max(2, math.ceil(FOOTPRINT / bytes_touched)))
    functions = [make_call() for _ in range(calls)]

    def run_all():
        return [function() for function in functions]

    run_all()  # all of them: whatever compiles or plans on first use may not do so during capture
    if not use_graph:
        return time_replays(run_all, calls)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        results = run_all()
    microseconds = time_replays(graph.replay, calls)
    del results, graph
    torch.cuda.empty_cache()
    return microseconds


# --- matrix products ---------------------------------------------------------------------------------------------

# Weights [outputs, inputs] of published dense and Mixture-of-Experts models.
LAYER_WEIGHTS = [
    (4096, 4096), (6144, 4096), (28672, 4096), (4096, 14336), (10240, 8192), (8192, 8192), (57344, 8192),
    (8192, 28672), (7168, 2048), (2048, 7168), (24576, 1536), (32768, 512), (7168, 16384), (18432, 7168),
]
# Routers, low-rank projections, small experts, and the largest hidden size.
NARROW_WEIGHTS = [
    (256, 4096), (512, 4096), (768, 2048), (1536, 7168), (576, 7168), (256, 7168), (4096, 256), (4096, 512),
    (2048, 768), (1024, 1024), (2048, 2048), (2048, 1024), (16384, 16384),
]


def gemm_shapes():
    """(layout, m, n, k) without repeats; layout says how a linear layer stores the operands."""
    shapes = {}

    def put(layout, m, n, k):
        shapes.setdefault((m, n, k), layout)

    for outputs, inputs in LAYER_WEIGHTS:
        for tokens in (256, 512, 1024, 2048, 4096, 8192, 16384):
            put("forward", tokens, outputs, inputs)
        put("input_gradient", 4096, inputs, outputs)
        put("weight_gradient", outputs, inputs, 4096)
        put("weight_gradient", outputs, inputs, 16384)
    for outputs, inputs in NARROW_WEIGHTS:
        for tokens in (512, 4096, 16384):
            put("forward", tokens, outputs, inputs)
        put("weight_gradient", outputs, inputs, 8192)
    for size in (512, 1024, 2048, 4096, 8192):
        put("forward", size, size, size)
    for tokens in (1152, 1280, 1408, 1536, 1792, 2304, 2560, 2816, 3072, 3584, 4224, 5120, 6144):  # wave quantisation
        put("forward", tokens, 4096, 4096)
    return [(layout, *shape) for shape, layout in shapes.items()]


def make_mm(pool, layout, m, n, k):
    if layout == "forward":            # Y = X W^T, W is [n,k]
        a, b = pool.take(m, k), pool.take(n, k).t()
    elif layout == "input_gradient":   # dX = dY W, W is [k,n]
        a, b = pool.take(m, k), pool.take(k, n)
    else:                              # dW = dY^T X, dY is [k,m]
        a, b = pool.take(k, m).t(), pool.take(k, n)
    return lambda: torch.mm(a, b)


def make_scaled_mm(pool, m, n, k, fast_accumulation=True):
    a, b = pool.take(m, k, fp8=True), pool.take(n, k, fp8=True).t()
    scale = torch.ones((), device="cuda")
    return lambda: torch._scaled_mm(a, b, scale_a=scale, scale_b=scale, out_dtype=torch.bfloat16,
                                    use_fast_accum=fast_accumulation)


def measure_gemm(bench):
    for layout, m, n, k in gemm_shapes():
        size = 2 * (m * k + k * n + m * n)
        microseconds = measure(lambda: make_mm(bench.pool, layout, m, n, k), size)
        bench.add(Measurement("gemm", m=m, n=n, k=k, microseconds=microseconds), layout)


def measure_gemm_fp8(bench):
    if torch.cuda.get_device_capability() < (8, 9):
        print("gemm fp8: skipped, this GPU has no fp8 matrix units")
        return
    for _, m, n, k in gemm_shapes():
        size = m * k + k * n + 2 * m * n
        microseconds = measure(lambda: make_scaled_mm(bench.pool, m, n, k), size)
        bench.add(Measurement("gemm", "fp8", m=m, n=n, k=k, microseconds=microseconds))
    for m, n, k in ((4096, 4096, 4096), (8192, 8192, 8192), (4096, 7168, 2048)):
        row = Measurement("gemm", "fp8", m=m, n=n, k=k)
        row.microseconds = measure(lambda: make_scaled_mm(bench.pool, m, n, k, False), m * k + k * n + 2 * m * n)
        print(f"note: fp8 {m}x{n}x{k} without fast accumulation: {row.rate()}")


def measure_grouped_gemm(bench):
    weights = [(1536, 2048), (2048, 768), (4096, 2048), (4096, 7168), (7168, 2048), (5760, 2880), (2880, 2880)]
    for (n, k), groups, m in itertools.product(weights, (1, 4, 8, 16, 32), (128, 256, 512, 1024, 2048, 4096)):
        ends = torch.arange(m, groups * m + 1, m, device="cuda", dtype=torch.int32)

        def make_call():
            a, b = bench.pool.take(groups * m, k), bench.pool.take(groups, n, k).transpose(1, 2)
            return lambda: torch._grouped_mm(a, b, offs=ends)

        microseconds = measure(make_call, 2 * groups * (m * k + k * n + m * n))
        bench.add(Measurement("grouped_gemm", groups=groups, m=m, n=n, k=k, microseconds=microseconds))


def hold_matrix_product(bench, seconds=3.0):
    """Prints the rate of an 8192-cube product when it runs for some seconds, with clock and power."""
    size = 8192
    makers = [("bf16", lambda: make_mm(bench.pool, "forward", size, size, size))]
    if torch.cuda.get_device_capability() >= (8, 9):
        makers.append(("fp8", lambda: make_scaled_mm(bench.pool, size, size, size)))
    for name, maker in makers:
        call = maker()
        milliseconds = 2.0 * size**3 / 7e14 * 1e3 / (2 if name == "fp8" else 1)
        count = int(seconds * 1e3 / milliseconds)
        events = [torch.cuda.Event(enable_timing=True) for _ in range(11)]
        events[0].record()
        for event in events[1:]:
            for _ in range(count // 10):
                call()
            event.record()
        state = query_driver("clocks.sm,power.draw,power.limit,temperature.gpu")
        events[-1].synchronize()
        rates = [2e-9 * size**3 * (count // 10) / a.elapsed_time(b) for a, b in itertools.pairwise(events)]
        print(f"note: {name} 8192x8192x8192 held for {seconds:.0f} s, TFLOP/s in each tenth: "
              f"{' '.join(f'{rate:.0f}' for rate in rates)} (clock, power, limit, temperature: {state})", flush=True)


# --- attention ---------------------------------------------------------------------------------------------------

def attention_shapes():
    """(batch * heads, queries, keys, causal)."""
    shapes = []
    for groups, length in ((128, 1024), (64, 2048), (32, 4096), (32, 8192), (16, 16384), (8, 32768)):
        shapes += [(groups, length, length, 1), (groups, length, length, 0)]
    shapes += [(8, 4096, 4096, 1), (128, 4096, 4096, 1), (16, 1024, 1024, 1), (16, 2048, 2048, 1), (512, 1024, 1024, 1)]
    shapes += [(32, 2048, 8192, 0), (32, 4096, 16384, 0)]  # one rank's queries against all keys
    return shapes


def make_attention(pool, shape, head_dims, backward):
    groups, queries, keys, causal = shape
    dim, dim_v = head_dims
    # [batch, sequence, heads, dimension] in memory, as projections write it.
    q, k, v = (pool.take(1, length, groups, d).transpose(1, 2).detach().requires_grad_(backward)
               for length, d in ((queries, dim), (keys, dim), (keys, dim_v)))
    if not backward:
        return lambda: F.scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
    output = F.scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
    gradient = pool.take(1, queries, groups, dim_v).transpose(1, 2)
    return lambda: torch.autograd.grad(output, (q, k, v), gradient, retain_graph=True)


def measure_attention(bench):
    backends = {"cuDNN": SDPBackend.CUDNN_ATTENTION, "flash": SDPBackend.FLASH_ATTENTION}
    for head_dims in ((64, 64), (128, 128), (192, 128)):
        for shape, backward in itertools.product(attention_shapes(), (False, True)):
            groups, queries, keys, causal = shape
            size = 2 * groups * (queries + keys) * sum(head_dims) * (2 if backward else 1)
            times = {}
            for name, backend in backends.items():
                try:
                    with sdpa_kernel(backend):
                        times[name] = measure(lambda: make_attention(bench.pool, shape, head_dims, backward), size)
                except RuntimeError as error:  # this kernel does not take these head dimensions
                    if head_dims[0] == head_dims[1]:
                        print(f"note: {name} attention {shape} {head_dims}: {str(error).splitlines()[0]}")
            if not times:
                continue
            best = min(times, key=times.get)
            row = Measurement("attention_backward" if backward else "attention_forward", groups=groups, m=queries,
                              n=keys, k=head_dims[0], head_dim_v=head_dims[1], causal=causal, microseconds=times[best])
            bench.add(row, " ".join(f"{name} {value:.1f}" for name, value in times.items()))


# --- memory-bound operators --------------------------------------------------------------------------------------

@torch.compile(dynamic=True)
def fused_swiglu(gate, up):
    return F.silu(gate) * up


@torch.compile(dynamic=True)
def fused_rms_norm(x, weight):
    return F.rms_norm(x, (ROW,), weight, 1e-6)


def elementwise_operators(pool):
    """name, dtype, bytes an element, and a function that prepares a call over rows of ROW elements."""
    weight = torch.ones(ROW, device="cuda", dtype=torch.bfloat16)

    def copy(rows):
        x = pool.take(rows, ROW)
        return lambda: torch.clone(x)

    def add(rows):
        x, y = pool.take(rows, ROW), pool.take(rows, ROW)
        return lambda: torch.add(x, y)

    def rmsnorm(rows):
        x = pool.take(rows, ROW)
        return lambda: fused_rms_norm(x, weight)

    def swiglu(rows):
        gate, up = pool.take(rows, ROW), pool.take(rows, ROW)
        return lambda: fused_swiglu(gate, up)

    def softmax(rows):
        x = pool.take(rows, ROW)
        return lambda: torch.softmax(x, -1)

    def permute(rows):
        x, order = pool.take(rows, ROW), torch.randperm(rows, device="cuda")
        return lambda: torch.index_select(x, 0, order)

    def cast_to_fp8(rows):
        x = pool.take(rows, ROW)
        return lambda: x.to(torch.float8_e4m3fn)

    def cast_to_bf16(rows):
        x = torch.randn(rows, ROW, device="cuda")
        return lambda: x.to(torch.bfloat16)

    return [("copy", "bf16", 4, copy), ("add", "bf16", 6, add), ("rmsnorm", "bf16", 4, rmsnorm),
            ("swiglu", "bf16", 6, swiglu), ("softmax", "bf16", 4, softmax), ("permute", "bf16", 4, permute),
            ("cast", "fp8", 3, cast_to_fp8), ("cast", "bf16", 6, cast_to_bf16)]


def measure_elementwise(bench):
    for name, dtype, element_bytes, prepare in elementwise_operators(bench.pool):
        # The largest first: torch.compile tunes a kernel for the first size it sees.
        for mebibytes in (2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1):
            rows = max(1, round(mebibytes * MIB / (element_bytes * ROW)))
            size = rows * ROW * element_bytes
            microseconds = measure(lambda: prepare(rows), size)
            bench.add(Measurement(name, dtype, bytes=size, microseconds=microseconds))


def measure_adam(bench):
    for parameters in (4, 8, 16, 32, 64, 128, 256, 512):
        count = parameters * MIB
        weight = torch.nn.Parameter(torch.randn(count, device="cuda"))
        weight.grad = torch.randn(count, device="cuda")
        optimizer = torch.optim.AdamW([weight], lr=1e-4, fused=True, capturable=True)
        optimizer.step()
        microseconds = measure(lambda: optimizer.step, 28 * count)
        bench.add(Measurement("adam", "fp32", bytes=28 * count, microseconds=microseconds))
        del weight, optimizer
        torch.cuda.empty_cache()


def measure_host_copy(bench):
    for mebibytes in (1, 4, 16, 64, 256, 1024):
        size = mebibytes * MIB
        host = torch.full((size,), 7, dtype=torch.uint8, pin_memory=True)
        device = host.cuda()
        for name, target, source in (("host_to_device", device, host), ("device_to_host", host, device)):
            microseconds = measure(lambda: lambda: target.copy_(source, non_blocking=True), size, use_graph=False)
            bench.add(Measurement(name, "uint8", bytes=size, microseconds=microseconds))


def measure_launch(bench):
    x = torch.zeros(256, device="cuda")
    kernels = 1000

    def run():
        for _ in range(kernels):
            x.add_(1.0)

    bench.add(Measurement("launch", "fp32", microseconds=time_replays(run, kernels)))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        run()
    bench.add(Measurement("launch_graph", "fp32", microseconds=time_replays(graph.replay, kernels)))


FAMILIES = {
    "launch": measure_launch, "elementwise": measure_elementwise, "adam": measure_adam,
    "host_copy": measure_host_copy, "gemm": measure_gemm, "gemm_fp8": measure_gemm_fp8,
    "grouped_gemm": measure_grouped_gemm, "attention": measure_attention,
}


def print_summary(bench):
    for dtype in ("bf16", "fp8"):
        rows = [row for row in bench.rows if row.operator == "gemm" and row.dtype == dtype]
        if rows:
            best = max(rows, key=lambda row: row.flops() / row.microseconds)
            print(f"peak {dtype}: {best.rate().strip()} at {best.m}x{best.n}x{best.k}")
    copies = [row for row in bench.rows if row.operator == "copy"]
    if copies:
        print(f"copy bandwidth: {max(copies, key=lambda row: row.bytes / row.microseconds).rate().strip()}")
    print(f"{len(bench.rows)} rows written to {bench.output}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True, help="CSV file to write")
    parser.add_argument("--only", nargs="+", choices=list(FAMILIES), default=list(FAMILIES),
                        help="families of operators to measure (default: all)")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("measure_operators: PyTorch sees no CUDA GPU; run this on the GPU whose operators are wanted")
    warnings.filterwarnings("ignore", message=".*ttention")  # PyTorch's reasons for not using a kernel
    torch.manual_seed(0)
    torch.cuda.set_stream(torch.cuda.Stream())  # graphs cannot be captured on the default stream
    bench = Bench(arguments.output)
    failed = []
    for family in arguments.only:
        started = time.perf_counter()
        try:
            FAMILIES[family](bench)
        except Exception as error:  # the other families are still worth having
            failed.append(family)
            print(f"error: {family} stopped: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        bench.write()
        print(f"note: {family} took {time.perf_counter() - started:.1f} s", flush=True)
    if "gemm" in arguments.only:
        hold_matrix_product(bench)
    print_summary(bench)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
