# filigree_use_torch(<target> <PUBLIC|PRIVATE> <library|program>)
#   Links LibTorch and compiles with its precompiled header. LibTorch's headers cost 2 to 25 s a file; one precompiled
#   header for all libraries and one for all programs bring this to 3 s. They serve targets that have the same options
#   that change code (so none with filigree_native); others call target_link_libraries themselves.

# libstdc++ comes first: PyTorch's own builds export a part of std::filesystem that crashes when others call it.
set(FILIGREE_TORCH_TARGETS stdc++ torch torch_library c10)

# Headers that most files include anyway; each file still includes what it uses.
set(FILIGREE_TORCH_HEADERS <ATen/ATen.h> <torch/csrc/autograd/autograd.h> <torch/nn/module.h>)

# A target needs a source.
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/torch_precompiled.cpp" CONTENT "")

function(filigree_torch_precompiled kind)
  set(target filigree_torch_${kind})
  add_library(${target} OBJECT EXCLUDE_FROM_ALL "${PROJECT_BINARY_DIR}/generated/torch_precompiled.cpp")
  target_link_libraries(${target} PRIVATE ${FILIGREE_TORCH_TARGETS} fmt::fmt ${ARGN})
  filigree_compile_options(${target})
  target_precompile_headers(${target} PRIVATE ${FILIGREE_TORCH_HEADERS})
endfunction()

filigree_torch_precompiled(library)
if(FILIGREE_TESTS)
  # Programs are compiled with -fPIE, which an OBJECT library does not get by itself.
  filigree_torch_precompiled(program GTest::gtest)
  target_precompile_headers(filigree_torch_program PRIVATE <gtest/gtest.h>)
  set_target_properties(filigree_torch_program PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(filigree_torch_program PRIVATE -fPIE)
endif()

function(filigree_use_torch target visibility kind)
  target_link_libraries(${target} ${visibility} ${FILIGREE_TORCH_TARGETS})
  if(TARGET filigree_torch_${kind})
    target_precompile_headers(${target} REUSE_FROM filigree_torch_${kind})
  endif()
endfunction()
