#include "plan/calibrate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "plan/calibration_report.h"
#include "plan/minimise.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree::plan {
namespace {

const std::string kHeader = "operator,dtype,groups,m,n,k,head_dim_v,causal,bytes,microseconds\n";

OperatorTimings measured_h100() {
  return read_operator_timings(test::source_dir() + "/recipes/measured/operators_h100.csv");
}

spec::Cluster h100() { return load_config<spec::Cluster>(test::source_dir() + "/recipes/clusters/h100.json"); }

/// The families whose names begin so, weighted by rows.
double mean_error(const Calibration& calibration, const std::string& name, bool held_out = false) {
  double sum = 0, rows = 0;
  for (const TimingFamily& family : calibration.families) {
    if (!family.name.starts_with(name) || !family.fitted) continue;
    const TimingError& error = held_out ? family.holdout : family.after;
    sum += error.mean * static_cast<double>(error.rows);
    rows += static_cast<double>(error.rows);
  }
  EXPECT_GT(rows, 0) << name;
  return sum / rows;
}

const TimingFamily& family(const Calibration& calibration, const std::string& name) {
  for (const TimingFamily& f : calibration.families) {
    if (f.name == name) return f;
  }
  throw Error("no family " + name);
}

/// A machine with figures unlike the H100's.
spec::Cluster invented() {
  spec::Cluster cluster = h100();
  spec::Accelerator& a = cluster.accelerator;
  a.memory_efficiency = 0.71;
  a.kernel_us = 3.1;
  a.host_us = 7.5;
  for (auto* curves : {&a.matrix, &a.grouped}) {
    for (auto& entry : *curves) {
      spec::MatrixCurve& curve = entry.second;
      curve.max = 0.61;
      curve.k_fill = 160;
      curve.tile = 96;
      curve.row_tile = 1;
      curve.memory = 0.66;
    }
  }
  a.attention.forward = 0.52;
  a.attention.backward = 0.41;
  a.attention.forward_fill = 300;
  a.attention.backward_fill = 700;
  a.attention.causal_tail = 0.4;
  cluster.host_gb_s = 23;
  return cluster;
}

/// What a machine that behaves exactly like the cluster would measure, in the shapes that were measured on an H100.
OperatorTimings synthetic(const spec::Cluster& cluster) {
  OperatorTimings timings = measured_h100();
  timings.where = "synthetic.csv";
  timings.device = "";
  for (OperatorTiming& row : timings.rows) {
    spec::Layout layout;
    layout.dtype = row.dtype;
    if (row.kind == OperatorKind::transfer) {
      row.seconds = row.bytes / (1e9 * cluster.host_gb_s);
    } else if (row.kind == OperatorKind::launch) {
      row.seconds = 1e-6 * (row.name == "launch" ? cluster.accelerator.host_us : 1.0);
    } else {
      row.seconds = computed_seconds(resolve_rates(cluster.accelerator, layout), row);
    }
  }
  return timings;
}

void expect_near_share(double got, double want, double share, const std::string& what) {
  EXPECT_NEAR(got / want, 1.0, share) << what << ": " << got << " against " << want;
}

TEST(Minimise, FindsTheLowestPointOfACurvedValley) {
  // Rosenbrock's function (1960): the minimum 0 at (1, 1).
  const auto valley = [](std::span<const double> x) {
    return 100 * std::pow(x[1] - x[0] * x[0], 2) + std::pow(1 - x[0], 2);
  };
  const std::vector<double> found = minimise(valley, {-1.2, 1});
  EXPECT_NEAR(found[0], 1, 1e-2);
  EXPECT_NEAR(found[1], 1, 1e-2);
}

TEST(Minimise, TakesSumsOfAbsoluteValues) {
  const auto corner = [](std::span<const double> x) { return std::abs(x[0] - 3) + 2 * std::abs(x[1] + x[0]); };
  const std::vector<double> found = minimise(corner, {0, 0});
  EXPECT_NEAR(found[0], 3, 1e-2);
  EXPECT_NEAR(found[1], -3, 1e-2);
}

TEST(Calibrate, RecoversTheFiguresThatMadeTheTimings) {
  const spec::Cluster truth = invented();
  const spec::Accelerator& want = truth.accelerator;
  const Calibration calibration = calibrate(h100(), synthetic(truth));
  const spec::Accelerator& got = calibration.cluster.accelerator;
  constexpr double kTolerance = 0.02;  // figures are written with four digits; a flat minimum costs the rest
  for (const char* dtype : {"bf16", "fp8"}) {
    const spec::MatrixCurve &a = got.matrix.at(dtype), &b = want.matrix.at(dtype);
    expect_near_share(a.max, b.max, kTolerance, "max");
    expect_near_share(a.k_fill, b.k_fill, 0.05, "k_fill");
    expect_near_share(a.tile, b.tile, 0.05, "tile");
    expect_near_share(a.memory, b.memory, kTolerance, "memory");
  }
  expect_near_share(got.grouped.at("bf16").max, want.grouped.at("bf16").max, kTolerance, "grouped max");
  expect_near_share(got.attention.forward, want.attention.forward, kTolerance, "attention forward");
  expect_near_share(got.attention.backward, want.attention.backward, kTolerance, "attention backward");
  expect_near_share(got.attention.forward_fill, want.attention.forward_fill, 0.05, "forward_fill");
  expect_near_share(got.attention.backward_fill, want.attention.backward_fill, 0.05, "backward_fill");
  expect_near_share(got.memory_efficiency, want.memory_efficiency, kTolerance, "memory_efficiency");
  expect_near_share(got.kernel_us, want.kernel_us, kTolerance, "kernel_us");
  expect_near_share(got.host_us, want.host_us, 1e-3, "host_us");
  expect_near_share(calibration.cluster.host_gb_s, truth.host_gb_s, 1e-3, "host_gb_s");
  for (const TimingFamily& f : calibration.families) {
    EXPECT_TRUE(!f.fitted || f.after.mean < 0.01) << f.name;
  }
}

TEST(Calibrate, FitsWhatAnH100Measured) {
  const Calibration calibration = calibrate(h100(), measured_h100());
  EXPECT_LE(mean_error(calibration, "gemm bf16"), 0.08);
  EXPECT_LE(mean_error(calibration, "gemm fp8"), 0.08);
  EXPECT_LE(mean_error(calibration, "grouped_gemm bf16"), 0.08);
  // Heads of 64 run at two thirds of the rate of wider ones, which the curve does not know.
  EXPECT_LE(mean_error(calibration, "attention_forward bf16, heads of 128, causal"), 0.05);
  EXPECT_LE(mean_error(calibration, "attention_forward bf16, heads of 192/128, causal"), 0.05);
  EXPECT_LE(mean_error(calibration, "attention_backward bf16, heads of 192/128, causal"), 0.05);
  EXPECT_LE(mean_error(calibration, "attention_backward bf16, heads of 128, causal"), 0.10);
  for (const char* name : {"copy", "add", "rmsnorm", "swiglu", "permute", "cast"}) {
    EXPECT_LE(mean_error(calibration, name), 0.10) << name;
  }
  EXPECT_LE(mean_error(calibration, "host_to_device"), 0.06);
}

TEST(Calibrate, NeverMakesTheFittedFamiliesWorseTogether) {
  const Calibration calibration = calibrate(h100(), measured_h100());
  double before = 0, after = 0;
  for (const TimingFamily& f : calibration.families) {
    if (!f.fitted) continue;
    before += f.before.mean;
    after += f.after.mean;
  }
  EXPECT_LT(after, before);
}

TEST(Calibrate, JudgesRowsThatNoFitSaw) {
  const Calibration calibration = calibrate(h100(), measured_h100(), {.holdout = 0.2, .seed = 3});
  const TimingFamily& gemm = family(calibration, "gemm bf16");
  EXPECT_EQ(gemm.rows, 199);
  EXPECT_EQ(gemm.holdout.rows, 39);
  EXPECT_EQ(gemm.after.rows, 160);
  EXPECT_LE(mean_error(calibration, "gemm bf16", true), 0.10);
  EXPECT_LE(mean_error(calibration, "gemm fp8", true), 0.10);
  EXPECT_LE(mean_error(calibration, "grouped_gemm bf16", true), 0.10);
  // The same seed holds out the same rows.
  const Calibration again = calibrate(h100(), measured_h100(), {.holdout = 0.2, .seed = 3});
  EXPECT_EQ(family(again, "gemm bf16").holdout.mean, gemm.holdout.mean);
  EXPECT_EQ(to_text(to_json(again.cluster)), to_text(to_json(calibration.cluster)));
}

TEST(Calibrate, SustainedLowersMatrixProductsOnly) {
  const Calibration burst = calibrate(h100(), measured_h100());
  const Calibration held = calibrate(h100(), measured_h100(), {.sustained = 0.94});
  const spec::Accelerator &a = burst.cluster.accelerator, &b = held.cluster.accelerator;
  EXPECT_NEAR(b.matrix.at("bf16").max / a.matrix.at("bf16").max, 0.94, 1e-3);
  EXPECT_NEAR(b.matrix.at("fp8").max / a.matrix.at("fp8").max, 0.94, 1e-3);
  EXPECT_NEAR(b.grouped.at("bf16").max / a.grouped.at("bf16").max, 0.94, 1e-3);
  EXPECT_EQ(b.attention.forward, a.attention.forward);
  EXPECT_EQ(b.memory_efficiency, a.memory_efficiency);
  EXPECT_NE(b.sources.at("matrix.bf16").find("0.94"), std::string::npos);
}

TEST(Calibrate, SaysWhereFiguresComeFrom) {
  const Calibration calibration = calibrate(h100(), measured_h100());
  const auto& sources = calibration.cluster.accelerator.sources;
  EXPECT_TRUE(sources.at("matrix.bf16").starts_with("fitted to 199 rows of operators_h100.csv (NVIDIA H100"));
  EXPECT_TRUE(sources.contains("grouped.bf16"));
  EXPECT_TRUE(sources.contains("attention"));
  EXPECT_TRUE(sources.contains("memory_efficiency"));
  EXPECT_TRUE(sources.contains("kernel_us"));
  EXPECT_TRUE(calibration.cluster.sources.contains("host_gb_s"));
  // The old notes on these figures are gone; grouped products in fp8, which were not measured, keep theirs.
  EXPECT_EQ(sources.at("host_us").find("fitted to 1 rows"), 0u);
  for (const auto& [key, note] : sources) {
    if (note.find("operators_h100.csv (NVIDIA") != std::string::npos) continue;
    for (const char* figure : {"matrix", "attention", "memory_efficiency", "kernel_us", "host_us"}) {
      EXPECT_EQ(key.find(figure), std::string::npos) << key;
    }
  }
  EXPECT_TRUE(sources.contains("grouped"));
  // What is written can be read again.
  const spec::Cluster again = from_json<spec::Cluster>(to_json(calibration.cluster), "again");
  EXPECT_EQ(to_text(to_json(again)), to_text(to_json(calibration.cluster)));
}

TEST(Calibrate, KeepsAFamilyWithTooFewRows) {
  OperatorTimings timings = measured_h100();
  std::erase_if(timings.rows, [](const OperatorTiming& row) {
    return row.kind == OperatorKind::attention_backward ||
           (row.kind == OperatorKind::matrix && (row.dtype == spec::Dtype::bf16 || row.m > 512));
  });
  const auto narrow = [](const OperatorTiming& row) { return row.kind == OperatorKind::matrix; };
  while (std::count_if(timings.rows.begin(), timings.rows.end(), narrow) > 5) {
    timings.rows.erase(std::find_if(timings.rows.begin(), timings.rows.end(), narrow));
  }
  const spec::Cluster start = h100();
  const Calibration calibration = calibrate(start, timings);
  const TimingFamily& gemm = family(calibration, "gemm fp8");
  EXPECT_FALSE(gemm.fitted);
  EXPECT_EQ(gemm.remark, "kept as it was: 5 rows, a fit needs 8");
  EXPECT_EQ(calibration.cluster.accelerator.matrix.at("fp8").max, start.accelerator.matrix.at("fp8").max);
  const TimingFamily& attention = family(calibration, "attention_forward bf16, heads of 128, causal");
  EXPECT_EQ(attention.remark, "kept as it was: 57 rows, a fit needs 8 of each pass");
  EXPECT_EQ(calibration.cluster.accelerator.attention.forward, start.accelerator.attention.forward);
  EXPECT_FALSE(calibration.cluster.accelerator.sources.contains("matrix.fp8") &&
               calibration.cluster.accelerator.sources.at("matrix.fp8").find("fitted to 5") != std::string::npos);
}

TEST(Calibrate, GivesANewDtypeACurve) {
  spec::Cluster start = h100();
  start.accelerator.matrix.erase("fp8");
  start.accelerator.grouped.clear();
  const Calibration calibration = calibrate(start, measured_h100());
  EXPECT_LE(family(calibration, "gemm fp8").after.mean, 0.08);
  EXPECT_TRUE(calibration.cluster.accelerator.grouped.contains("bf16"));
  EXPECT_FALSE(calibration.cluster.accelerator.grouped.contains("fp8"));
}

TEST(Calibrate, RefusesADtypeWithoutAPeak) {
  spec::Cluster start = h100();
  start.accelerator.peak_tflops.erase("fp8");
  OperatorTimings timings = parse_operator_timings(kHeader + "gemm,fp8,0,64,64,64,0,0,0,5\n", "x.csv");
  EXPECT_ERROR(
      calibrate(start, timings),
      "x.csv: line 2: gemm was measured in fp8, but accelerator H100 SXM5 has no peak_tflops for it; add it to "
      "the cluster file");
}

TEST(Calibrate, RefusesOptionsOutOfRange) {
  const OperatorTimings timings = parse_operator_timings(kHeader + "copy,bf16,0,0,0,0,0,0,1048576,2\n", "x.csv");
  EXPECT_ERROR(calibrate(h100(), timings, {.holdout = 1}), "calibrate: holdout must be between 0 and 0.9, got 1");
  EXPECT_ERROR(calibrate(h100(), timings, {.sustained = 0}),
               "calibrate: sustained must be above 0 and at most 1, got 0");
}

TEST(Calibrate, ReportsInWordsJsonAndPicture) {
  const Calibration calibration = calibrate(h100(), measured_h100(), {.holdout = 0.2});
  const std::string text = calibration_text(calibration);
  EXPECT_NE(text.find("gemm bf16"), std::string::npos);
  EXPECT_NE(text.find("held out"), std::string::npos);
  EXPECT_NE(text.find("* softmax; adam: not fitted"), std::string::npos) << text;
  const Json json = calibration_json(calibration);
  EXPECT_EQ(json["families"].size(), calibration.families.size());
  EXPECT_TRUE(json["accelerator"]["matrix"]["bf16"].contains("max"));
  const Plot plot = calibration_plot(calibration);
  EXPECT_GE(plot.series.size(), 6u);
  EXPECT_LE(plot.series.size(), 8u);  // as many as the palette tells apart
  for (const Series& series : plot.series) EXPECT_EQ(series.x.size(), series.y.size());
}

TEST(OperatorTimings, ReadsRowsAndDevice) {
  const OperatorTimings timings =
      parse_operator_timings("# GPU: Some GPU, 12 multiprocessors\n" + kHeader +
                                 "attention_forward,bf16,8,1024,2048,192,128,1,0,55.5\ncast,fp8,0,0,0,0,0,0,4096,3\n",
                             "x.csv");
  EXPECT_EQ(timings.device, "Some GPU, 12 multiprocessors");
  ASSERT_EQ(timings.rows.size(), 2u);
  const OperatorTiming& row = timings.rows[0];
  EXPECT_EQ(row.kind, OperatorKind::attention_forward);
  EXPECT_EQ(row.groups, 8);
  EXPECT_EQ(row.k, 192);
  EXPECT_EQ(row.v_dim, 128);
  EXPECT_TRUE(row.causal);
  EXPECT_DOUBLE_EQ(row.seconds, 55.5e-6);
  EXPECT_EQ(row.line, 3);
}

TEST(OperatorTimings, WritesWhatItReads) {
  const OperatorTimings timings = measured_h100();
  const OperatorTimings again = parse_operator_timings(to_csv(timings), "again.csv");
  ASSERT_EQ(again.rows.size(), timings.rows.size());
  EXPECT_EQ(again.device, timings.device);
  for (std::size_t i = 0; i < again.rows.size(); ++i) {
    EXPECT_EQ(again.rows[i].name, timings.rows[i].name);
    EXPECT_EQ(again.rows[i].n, timings.rows[i].n);
    EXPECT_NEAR(again.rows[i].seconds / timings.rows[i].seconds, 1, 1e-12);
  }
}

TEST(OperatorTimings, SaysWhatIsWrong) {
  const auto read = [](const std::string& row) { return parse_operator_timings(kHeader + row, "x.csv"); };
  EXPECT_ERROR(read("gem,bf16,0,1,1,1,0,0,0,5\n"), "x.csv: line 2: unknown operator 'gem'; did you mean 'gemm'?");
  EXPECT_ERROR(read("gemm,bf61,0,1,1,1,0,0,0,5\n"),
               "x.csv: line 2: unknown dtype 'bf61'; did you mean 'bf16'?; known are fp32, tf32, bf16, fp16, fp8, fp4");
  EXPECT_ERROR(read("gemm,bf16,0,1,1,1,0,0,0,0\n"), "x.csv: line 2: microseconds must be greater than 0, got 0");
  EXPECT_ERROR(read("gemm,bf16,0,1,1,1,0,0,0,-2.5\n"), "x.csv: line 2: microseconds must be greater than 0, got -2.5");
  EXPECT_ERROR(read("gemm,bf16,0,1,0,1,0,0,0,5\n"), "x.csv: line 2: n of gemm must be greater than 0, got 0");
  EXPECT_ERROR(read("copy,bf16,0,0,0,0,0,0,-4,5\n"), "x.csv: line 2: bytes of copy must be greater than 0, got -4");
  EXPECT_ERROR(read(""), "x.csv: holds no measurements; tools/measure_operators.py makes such a file");
  try {
    parse_operator_timings("operator,dtype,groups,m,n,k,head_dim_v,causal,microseconds\n", "x.csv");
    ADD_FAILURE() << "a file without the column bytes was read";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'bytes'"), std::string::npos) << error.what();
  }
}

TEST(NearestCluster, GoesByTheDevicesName) {
  const std::vector<std::string> names{"a100-4nic", "a100-80g", "ascend-910b", "b200", "gb200", "h100", "h200"};
  const auto nearest = [&names](const std::string& device, const std::string& file) {
    return nearest_cluster({file, device, {}}, names);
  };
  EXPECT_EQ(nearest("NVIDIA H100 80GB HBM3, 132 multiprocessors", "operators.csv"), "h100");
  EXPECT_EQ(nearest("NVIDIA GB200, 152 multiprocessors", "operators.csv"), "gb200");
  EXPECT_EQ(nearest("NVIDIA B200, 148 multiprocessors", "operators.csv"), "b200");
  EXPECT_EQ(nearest("NVIDIA A100-SXM4-80GB", "operators.csv"), "a100-80g");
  EXPECT_EQ(nearest("", "dir/operators_h200.csv"), "h200");
  EXPECT_ERROR(nearest("Some GPU", "x.csv"),
               "x.csv: no cluster recipe is named after its device 'Some GPU'; name a starting point among a100-4nic, "
               "a100-80g, ascend-910b, b200, gb200, h100, h200");
}

}  // namespace
}  // namespace filigree::plan
