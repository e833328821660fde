# Options of the build. As a part of another project (add_subdirectory) only the libraries are built.

option(FILIGREE_TORCH "Build the parts that need LibTorch" ON)
option(FILIGREE_PROGRAM "Build the filigree program" ${PROJECT_IS_TOP_LEVEL})
option(FILIGREE_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(FILIGREE_BENCH "Build the benchmarks" OFF)
option(FILIGREE_FUZZ "Build the fuzz targets (Clang only)" OFF)
option(FILIGREE_WERROR "Treat warnings as errors" OFF)
option(FILIGREE_NATIVE "Let the numeric libraries use all of this machine's processor; the result may not run on another" ON)
option(FILIGREE_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})
set(FILIGREE_SANITIZER "" CACHE STRING "Sanitizers to compile in, such as 'address' or 'undefined'; empty for none")
set(FILIGREE_REFERENCE "${PROJECT_SOURCE_DIR}/../shared/reference"
    CACHE PATH "Reference cases for the tests, where the environment variable FILIGREE_REFERENCE is not set")

if(NOT CMAKE_BUILD_TYPE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

# The sloppiness lets ccache reuse objects compiled with a precompiled header, and below ctest, which sets the locale.
if(NOT CMAKE_CXX_COMPILER_LAUNCHER AND PROJECT_IS_TOP_LEVEL)
  find_program(FILIGREE_CCACHE ccache)
  mark_as_advanced(FILIGREE_CCACHE)
  if(FILIGREE_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,locale;${FILIGREE_CCACHE}")
  endif()
endif()
