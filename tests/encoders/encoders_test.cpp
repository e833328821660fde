#include <gtest/gtest.h>

TEST(Encoders, Placeholder) {}
