# SPDX-License-Identifier: Apache-2.0
# Read by CMake right after `project(llama_cpp)`, see llama_wheel.py. The binding's CMakeLists forces
# llama.cpp's "common" library on; it is never loaded, and it is 57 of the build's 140 steps. A
# normal variable wins over the forced cache entry (policies CMP0126 and CMP0077).
set(LLAMA_BUILD_COMMON OFF)
