// Every inline function below the public interface lives in a namespace of its own instruction set:
// were two translation units to share one, the linker could pick the AVX-512 copy for all machines.
#ifndef QUANT_OPS_CORE_PER_INSTRUCTION_SET_H_
#define QUANT_OPS_CORE_PER_INSTRUCTION_SET_H_

#ifndef QUANT_OPS_ISA
#define QUANT_OPS_ISA portable
#endif

// Asserts that the loop's iterations are independent, which holds for in == out too; without it the
// compiler's overlap check would send exactly that case to the scalar loop.
#if defined(__clang__)
#define QUANT_OPS_VECTOR_LOOP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define QUANT_OPS_VECTOR_LOOP _Pragma("GCC ivdep")
#else
#define QUANT_OPS_VECTOR_LOOP
#endif

#endif  // QUANT_OPS_CORE_PER_INSTRUCTION_SET_H_
