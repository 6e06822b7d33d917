"""A prefix of CMake: cawait/cawaitConfig.cmake."""
