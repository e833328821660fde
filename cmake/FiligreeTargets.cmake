# filigree_library(<folder> SOURCES <.cpp and .h by name> [DEPENDS <folders>] [PACKAGES <imported targets>] [PRECOMPILE <headers>] [TORCH])
#   The library filigree::<folder> of the folder src/<folder>.
# filigree_program(<name> SOURCES ... [LIBS ...] [PRECOMPILE <headers>] [TORCH])
#   An executable with the project's compile options.
# TORCH: it uses LibTorch, through the precompiled header of cmake/FiligreeTorch.cmake (so without PRECOMPILE).

set(FILIGREE_SANITIZE_OPTIONS "")
if(FILIGREE_SANITIZER)
  set(FILIGREE_SANITIZE_OPTIONS -fsanitize=${FILIGREE_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=all)
endif()

# GCC 12 warns wrongly inside std::string (GCC bug 105651), fmt, and its own AVX-512 intrinsics (GCC bug 105593).
set(FILIGREE_GCC12 "$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>")

# tools/frozen_flags.txt holds every flag that may reach the compiler; change both together.
function(filigree_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  # The prefix map keeps absolute paths out of the program: __FILE__ starts at the checkout.
  target_compile_options(
    ${target} PRIVATE "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=" -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                      "$<${FILIGREE_GCC12}:-Wno-restrict;-Wno-stringop-overflow;-Wno-maybe-uninitialized>" $<$<BOOL:${FILIGREE_WERROR}>:-Werror>
                      ${FILIGREE_SANITIZE_OPTIONS})
  target_link_options(${target} PRIVATE ${FILIGREE_SANITIZE_OPTIONS})
endfunction()

# Stops if cmake/layers.txt does not let the folder use one of the others.
function(filigree_check_layer folder)
  file(STRINGS "${PROJECT_SOURCE_DIR}/cmake/layers.txt" line REGEX "^${folder}:")
  string(REGEX REPLACE "^[^:]*:" "" allowed "${line}")
  string(REGEX REPLACE "[ \t]+" ";" allowed "${allowed}")
  foreach(other IN LISTS ARGN)
    if(NOT other IN_LIST allowed)
      message(FATAL_ERROR "src/${folder} must not depend on ${other}: cmake/layers.txt does not allow it")
    endif()
  endforeach()
endfunction()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/layers.txt")

function(filigree_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;DEPENDS;PACKAGES;PRECOMPILE")
  set(headers ${arg_SOURCES})
  list(FILTER headers INCLUDE REGEX "\\.h$")
  set(sources ${arg_SOURCES})
  list(FILTER sources EXCLUDE REGEX "\\.h$")
  filigree_check_layer(${folder} ${arg_DEPENDS})
  list(TRANSFORM arg_DEPENDS PREPEND "filigree::")

  add_library(filigree_${folder} ${sources})
  add_library(filigree::${folder} ALIAS filigree_${folder})
  set_target_properties(filigree_${folder} PROPERTIES EXPORT_NAME ${folder})
  target_sources(filigree_${folder} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/src" FILES ${headers})
  target_link_libraries(filigree_${folder} PUBLIC ${arg_DEPENDS} ${arg_PACKAGES})
  target_precompile_headers(filigree_${folder} PRIVATE ${arg_PRECOMPILE})
  filigree_compile_options(filigree_${folder})
  if(arg_TORCH)
    filigree_use_torch(filigree_${folder} PUBLIC library)
  endif()
  set_property(GLOBAL APPEND PROPERTY FILIGREE_LIBRARIES filigree_${folder})
endfunction()

# filigree_native(<folder>): the folder and everything that uses it is compiled for this machine's processor. Public,
# because the alignment of Eigen's memory depends on it and must be the same everywhere.
function(filigree_native folder)
  if(FILIGREE_NATIVE)
    target_compile_options(filigree_${folder} PUBLIC -march=native)
  endif()
endfunction()

function(filigree_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;LIBS;PRECOMPILE")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  target_precompile_headers(${name} PRIVATE ${arg_PRECOMPILE})
  filigree_compile_options(${name})
  if(arg_TORCH)
    filigree_use_torch(${name} PRIVATE program)
  endif()
endfunction()
