#include "spec/layout.h"

#include <filesystem>
#include <random>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/expect_error.h"

namespace filigree::spec {
namespace {

TEST(Layout, DtypesHaveTheirBytes) {
  EXPECT_EQ(dtype_bytes(Dtype::fp32), 4);
  EXPECT_EQ(dtype_bytes(Dtype::tf32), 4);
  EXPECT_EQ(dtype_bytes(Dtype::bf16), 2);
  EXPECT_EQ(dtype_bytes(Dtype::fp16), 2);
  EXPECT_EQ(dtype_bytes(Dtype::fp8), 1);
  EXPECT_EQ(dtype_bytes(Dtype::fp4), 0.5);
  EXPECT_EQ(dtype_name(Dtype::bf16), "bf16");
}

TEST(Layout, Sets) {
  const Layout layout = parse_layout("recompute=norms+permute,swap=activation,overlap=gradients+experts");
  EXPECT_TRUE(layout.recomputes(Part::norms));
  EXPECT_TRUE(layout.recomputes(Part::permute));
  EXPECT_FALSE(layout.recomputes(Part::activation));
  EXPECT_TRUE(layout.swaps(Part::activation));
  EXPECT_FALSE(layout.swaps(Part::norms));
  EXPECT_TRUE(layout.overlaps(Overlap::experts));
  EXPECT_FALSE(layout.overlaps(Overlap::tensor));
}

TEST(LayoutText, Inline) {
  const Layout layout =
      parse_layout("tp=8,pp=16,vpp=2,ep=4,mbs=2,gbs=6144,seq=8192,tp_extends_ep=true,dtype=fp8,stages=3+4");
  EXPECT_EQ(layout.tp, 8);
  EXPECT_EQ(layout.pp, 16);
  EXPECT_EQ(layout.vpp, 2);
  EXPECT_EQ(layout.ep, 4);
  EXPECT_EQ(layout.mbs, 2);
  EXPECT_EQ(layout.gbs, 6144);
  EXPECT_EQ(layout.seq, 8192);
  EXPECT_TRUE(layout.tp_extends_ep);
  EXPECT_EQ(layout.dtype, Dtype::fp8);
  EXPECT_EQ(layout.stages, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(layout.etp, 1);
}

TEST(LayoutText, File) {
  const std::filesystem::path path = std::filesystem::path(::testing::TempDir()) / "layout_text_test.json";
  Layout layout;
  layout.pp = 4;
  layout.swap = {Part::qkv_up};
  write_file(path, to_text(to_json(layout)));
  EXPECT_EQ(short_text(parse_layout(path.string())), "pp=4,swap=qkv-up");
  write_file(path, R"({"tp": 8, "ppp": 2})");
  EXPECT_ERROR(parse_layout(path.string()), path.string() + ": unknown key 'ppp' at the top level; did you mean 'pp'?");
  std::filesystem::remove(path);
}

TEST(LayoutText, ShortTextNamesOnlyWhatDiffers) {
  EXPECT_EQ(short_text(Layout{}), "");
  EXPECT_EQ(short_text(parse_layout("")), "");
  EXPECT_EQ(short_text(parse_layout("seq=4096, tp = 2,overlap=tensor+gradients,optimizer_bytes=6.5,sp=false")),
            "tp=2,sp=false,overlap=tensor+gradients,optimizer_bytes=6.5");
  EXPECT_EQ(short_text(parse_layout("optimizer_bytes=16")), "optimizer_bytes=16");
  EXPECT_EQ(short_text(parse_layout("schedule=dualpipe-v,dispatcher=hierarchical")),
            "schedule=dualpipe-v,dispatcher=hierarchical");
}

TEST(LayoutText, RoundTrip) {
  std::mt19937 engine(7);
  const auto draw = [&engine](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine);
  };
  for (int i = 0; i < 200; ++i) {
    Layout layout;
    layout.tp = draw(1, 16);
    layout.dp = draw(0, 100);
    layout.gbs = draw(0, std::int64_t{1} << 40);
    layout.zero = draw(0, 3);
    layout.sp = draw(0, 1) == 1;
    layout.schedule = static_cast<Schedule>(draw(0, 3));
    layout.dispatcher = static_cast<Dispatcher>(draw(0, 3));
    layout.gradient_dtype = static_cast<Dtype>(draw(0, 5));
    layout.optimizer_bytes = static_cast<double>(draw(0, 1000)) / 7;
    layout.capacity_factor = static_cast<double>(draw(0, 3)) / 3;
    for (std::int64_t n = draw(0, 4); n > 0; --n) layout.stages.push_back(draw(0, 9));
    for (std::int64_t n = draw(0, 2); n > 0; --n) layout.overlap.push_back(static_cast<Overlap>(draw(0, 6)));
    for (std::int64_t n = draw(0, 2); n > 0; --n) layout.recompute.push_back(static_cast<Part>(draw(0, 6)));
    const Layout again = parse_layout(short_text(layout));
    EXPECT_EQ(to_json(again), to_json(layout)) << short_text(layout);
  }
}

TEST(LayoutText, Errors) {
  EXPECT_ERROR(parse_layout("layouts/none.json"),
               "layout 'layouts/none.json' is neither a file nor of the form tp=8,pp=16,…");
  EXPECT_ERROR(parse_layout("tp=8,pp"), "layout: 'pp' is not of the form key=value");
  EXPECT_ERROR(parse_layout("tp=8,tp=4"), "layout: key 'tp' is given twice");
  EXPECT_ERROR(parse_layout("tp=0"), "layout: tp must be at least 1, got 0");
  EXPECT_ERROR(parse_layout("tp=many"), "layout: tp must be a whole number, got the text 'many'");
  EXPECT_ERROR(parse_layout("zero=4"), "layout: zero must be between 0 and 3, got 4");
  EXPECT_ERROR(parse_layout("overlap=gradients+expert"),
               "layout: overlap[1] cannot be 'expert'; did you mean 'experts'? (one of: gradients, parameters, tensor, "
               "experts, shared, pipeline, context)");
  try {
    parse_layout("mbz=2");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).substr(0, 52), "layout: unknown key 'mbz'; did you mean 'mbs'? (keys");
  }
}

TEST(Resolve, FillsWhatIsOpen) {
  const Layout layout = complete(parse_layout("tp=8,pp=16,vpp=2,ep=4,mbs=2,tp_extends_ep=true"), 6144);
  EXPECT_EQ(layout.devices, 6144);
  EXPECT_EQ(layout.dp, 48);
  EXPECT_EQ(layout.gbs, 2 * 48 * 16 * 2);
  EXPECT_EQ(layout.schedule, Schedule::interleaved);
  EXPECT_EQ(micro_batches(layout), 32);
  EXPECT_EQ(expert_ranks(layout), 32);
  EXPECT_EQ(expert_data_parallel(layout), 12);
}

TEST(Resolve, DevicesFromDegrees) {
  const Layout layout = complete(parse_layout("tp=2,cp=2,pp=3,dp=5,ep=4,etp=1"));
  EXPECT_EQ(layout.devices, 60);
  EXPECT_EQ(expert_ranks(layout), 4);
  EXPECT_EQ(expert_data_parallel(layout), 5);
  EXPECT_EQ(complete(Layout{}).devices, 1);
  EXPECT_EQ(complete(Layout{}).schedule, Schedule::one_f_one_b);
  EXPECT_EQ(complete(parse_layout("tp=2,devices=8")).dp, 4);
}

TEST(Resolve, IsStable) {
  const Layout once = complete(parse_layout("tp=2,pp=2,vpp=2"), 32);
  EXPECT_EQ(to_json(complete(once)), to_json(once));
}

TEST(Resolve, Errors) {
  EXPECT_ERROR(complete(parse_layout("tp=8,pp=16"), 6000),
               "layout: 6000 devices do not divide into replicas of tp·cp·pp = 8·1·16 = 128; use 5888 or 6016");
  EXPECT_ERROR(complete(parse_layout("tp=8,pp=16"), 100),
               "layout: 100 devices do not divide into replicas of tp·cp·pp = 8·1·16 = 128; use 128");
  EXPECT_ERROR(complete(parse_layout("tp=2,devices=8"), 16),
               "layout: devices=8, but 16 devices are asked for; give one of the two");
  EXPECT_ERROR(complete(parse_layout("tp=2,dp=3"), 8),
               "layout: tp·cp·pp·dp = 2·1·1·3 = 6, but there are 8 devices; leave out dp");
}

TEST(Resolve, Chunks) {
  Model model;
  model.layers = 10;
  using Sizes = std::vector<std::int64_t>;
  EXPECT_EQ(chunk_layers(parse_layout("pp=5"), model), (Sizes{2, 2, 2, 2, 2}));
  EXPECT_EQ(chunk_layers(parse_layout("pp=4"), model), (Sizes{2, 3, 3, 2}));
  EXPECT_EQ(chunk_layers(parse_layout("pp=3"), model), (Sizes{3, 4, 3}));
  EXPECT_EQ(chunk_layers(parse_layout("pp=2,vpp=2,stages=1+4+4+1"), model), (Sizes{1, 4, 4, 1}));
  model.mtp_layers = 1;
  EXPECT_EQ(pipeline_layers(parse_layout("noop_layers=5"), model), 16);
  EXPECT_EQ(chunk_layers(parse_layout("pp=4,vpp=2,noop_layers=5"), model), (Sizes{2, 2, 2, 2, 2, 2, 2, 2}));
}

TEST(Resolve, SaturatingProduct) {
  const std::int64_t large = std::int64_t{1} << 40;
  EXPECT_EQ(saturating_product({}), 1);
  EXPECT_EQ(saturating_product({3, 5, 7}), 105);
  EXPECT_EQ(saturating_product({large, large}), std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace filigree::spec
