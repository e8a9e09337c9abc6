# Monocypher and the nanopb run time, fetched once into build/sources and checked there at each configuration.
find_package(Python 3.11 REQUIRED COMPONENTS Interpreter)

set(ATTUNE_SOURCES "${PROJECT_SOURCE_DIR}/build/sources")
execute_process(
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/packaging/fetch_c_sources.py" "${ATTUNE_SOURCES}"
  RESULT_VARIABLE fetched)
if(NOT fetched EQUAL 0)
  message(FATAL_ERROR "The C libraries could not be fetched; the reason stands above.")
endif()

add_library(monocypher STATIC "${ATTUNE_SOURCES}/monocypher/monocypher.c")
target_include_directories(monocypher SYSTEM PUBLIC "${ATTUNE_SOURCES}/monocypher")
# Unrolled BLAKE2b costs 13 KB of flash.
target_compile_definitions(monocypher PRIVATE BLAKE2_NO_UNROLLING)
if(ATTUNE_FUZZ)
  # What is fuzzed is what parses; arithmetic under the sanitizers would leave it a tenth of the inputs.
  target_compile_options(monocypher PRIVATE -O2 -fno-sanitize=all)
endif()

file(GLOB nanopb_sources "${ATTUNE_SOURCES}/nanopb/*.c")
add_library(nanopb STATIC ${nanopb_sources})
target_include_directories(nanopb SYSTEM PUBLIC "${ATTUNE_SOURCES}/nanopb")
