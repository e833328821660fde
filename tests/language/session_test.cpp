#include "language/session.h"

#include <gtest/gtest.h>

#include "small_models.h"
#include "support/expect_error.h"

namespace filigree::language {
namespace {

using Ids = std::vector<std::int64_t>;

Ids joined(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class Sessions : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Families, Sessions, testing::Values("pangu", "deepseek", "qwen"));

TEST_P(Sessions, GiveWhatGenerateGivesAndRunOnlyWhatIsNew) {
  const Model model = test::small_model(GetParam());
  const GenerateOptions options{.max_new_tokens = 7};
  const auto alone = [&](const Ids& ids) { return generate(model, {ids}, options).ids[0]; };
  Session session(model, options);
  const Ids first{3, 1, 4, 1, 5};
  const Ids answer = session.continue_text(first).ids[0];
  EXPECT_EQ(answer, alone(first));
  EXPECT_EQ(session.reused(), 0);
  // The conversation goes on: all but the last token, which was drawn but not run, is in the cache.
  const Ids second = joined(joined(first, answer), {9, 2, 6});
  EXPECT_EQ(session.continue_text(second).ids[0], alone(second));
  EXPECT_EQ(session.reused(), 5 + 7 - 1);
  // Another text with the same beginning, the same once more, and the beginning alone.
  const Ids third{3, 1, 4, 2};
  EXPECT_EQ(session.continue_text(third).ids[0], alone(third));
  EXPECT_EQ(session.reused(), 3);
  EXPECT_EQ(session.continue_text(third).ids[0], alone(third));
  EXPECT_EQ(session.reused(), 3);  // the last token is always run
  EXPECT_EQ(session.continue_text({3, 1}).ids[0], alone({3, 1}));
  EXPECT_EQ(session.reused(), 1);
  session.clear();
  EXPECT_EQ(session.continue_text(third).ids[0], alone(third));
  EXPECT_EQ(session.reused(), 0);
}

TEST(Session, StopsWhereItIsToldTo) {
  const Model model = test::small_model("pangu");
  const Ids prompt{1, 2};
  const Ids whole = Session(model, {.max_new_tokens = 10}).continue_text(prompt).ids[0];
  ASSERT_EQ(whole.size(), 10U);
  Session stopping(model, {.max_new_tokens = 10, .stop_ids = {whole[4]}});
  const Ids cut = stopping.continue_text(prompt).ids[0];
  EXPECT_LE(cut.size(), 5U);
  EXPECT_EQ(cut.back(), whole[4]);
  int seen = 0;
  Session session(model, {.max_new_tokens = 10});
  EXPECT_EQ(session.continue_text(prompt, [&](std::int64_t) { return ++seen < 3; }).ids[0].size(), 3U);
  EXPECT_EQ(session.continue_text(prompt).ids[0], whole);
  EXPECT_TRUE(Session(model, {.max_new_tokens = 0}).continue_text(prompt).ids[0].empty());
}

TEST(Session, DrawsGoOnFromTextToText) {
  const Model model = test::small_model("qwen");
  const GenerateOptions options{.max_new_tokens = 12, .sampling = {.temperature = 1}, .seed = 4};
  Session one(model, options), two(model, options);
  const Ids first = one.continue_text({1, 2}).ids[0];
  EXPECT_EQ(two.continue_text({1, 2}).ids[0], first);
  EXPECT_NE(one.continue_text({1, 2}).ids[0], first);
}

TEST(Session, EndsWithThePositions) {
  const Model model = test::small_model("pangu");  // 64 positions
  Session session(model, {.max_new_tokens = 100});
  EXPECT_EQ(session.continue_text(Ids(60, 7)).ids[0].size(), 4U);
  EXPECT_ERROR(session.continue_text(Ids(64, 7)), "the text has 64 tokens, which fill the model's 64 positions");
  EXPECT_ERROR(session.continue_text({}), "there is no text to continue");
  EXPECT_ERROR(session.continue_text({1, 50}), "token 1: the id 50 is not within 0 … 49");
  EXPECT_EQ(session.continue_text(Ids(60, 7)).ids[0].size(), 4U);
}

}  // namespace
}  // namespace filigree::language
