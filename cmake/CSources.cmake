# Monocypher, littlefs and the nanopb run time, fetched once into build/sources and checked there at each configuration.
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

add_library(littlefs STATIC "${ATTUNE_SOURCES}/littlefs/lfs.c" "${ATTUNE_SOURCES}/littlefs/lfs_util.c")
target_include_directories(littlefs SYSTEM PUBLIC "${ATTUNE_SOURCES}/littlefs")
# No heap and no words: what goes wrong comes back as an error. An image that makes no sense must not stop a node.
target_compile_definitions(littlefs PUBLIC LFS_NO_MALLOC LFS_NO_ASSERT LFS_NO_DEBUG LFS_NO_WARN LFS_NO_ERROR
                           LFS_NAME_MAX=15)

file(GLOB nanopb_sources "${ATTUNE_SOURCES}/nanopb/*.c")
add_library(nanopb STATIC ${nanopb_sources})
target_include_directories(nanopb SYSTEM PUBLIC "${ATTUNE_SOURCES}/nanopb")
# Messages lie in one buffer each, and what is wrong with one nobody is told: it is counted.
target_compile_definitions(nanopb PUBLIC PB_BUFFER_ONLY PB_NO_ERRMSG)
