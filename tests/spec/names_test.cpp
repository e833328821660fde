#include "spec/names.h"

#include <gtest/gtest.h>

namespace filigree::spec {
namespace {

TEST(Names, AsTablesWriteThem) {
  EXPECT_EQ(recipe_name("LLAMA3_8B"), "llama3-8b");
  EXPECT_EQ(recipe_name("LLAMA3_70B"), "llama3-70b");
  EXPECT_EQ(recipe_name("LLAMA3.1_405B"), "llama3-405b");
  EXPECT_EQ(recipe_name("Llama 3.1 8B"), "llama3-8b");
  EXPECT_EQ(recipe_name("GPT OSS 120B"), "gpt-oss-120b");
  EXPECT_EQ(recipe_name("DeepSeekV3 (dropless)"), "deepseekv3");
  EXPECT_EQ(recipe_name("DeepSeek-V2"), "deepseekv2");
  EXPECT_EQ(recipe_name("Qwen3_30B_a3B (tokendrop)"), "qwen3-30b-a3b");
  EXPECT_EQ(recipe_name("Qwen3_235B_a22B"), "qwen3-235b-a22b");
  EXPECT_EQ(recipe_name("KIMI_K2"), "kimi-k2");
  EXPECT_EQ(recipe_name("Kimi K2"), "kimi-k2");
  EXPECT_EQ(recipe_name("Nemotron_3_Nano"), "nemotron-3-nano");
  EXPECT_EQ(recipe_name(" Pangu Ultra MoE "), "pangu-ultra-moe");
  EXPECT_EQ(recipe_name("HiDream-I1"), "hidream-i1");
}

TEST(Names, RecipesKeepTheirNames) {
  for (const char* name :
       {"llama3-8b", "llama3-405b", "deepseekv3", "gpt-oss-120b", "qwen3-30b-a3b", "pangu-ultra-moe"}) {
    EXPECT_EQ(recipe_name(name), name);
  }
}

TEST(Names, UnknownNamesStayReadable) { EXPECT_EQ(recipe_name("My Model_7B (v2)"), "my-model-7b"); }

}  // namespace
}  // namespace filigree::spec
