#pragma once

#include <gtest/gtest.h>

#include "base/error.h"

/// Expects that the statement throws filigree::Error with exactly this message.
#define EXPECT_ERROR(statement, message)               \
  do {                                                 \
    try {                                              \
      static_cast<void>(statement);                    \
      ADD_FAILURE() << "no error from " << #statement; \
    } catch (const ::filigree::Error& error) {         \
      EXPECT_EQ(std::string(error.what()), message);   \
    }                                                  \
  } while (false)
