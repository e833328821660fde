#include "train/adamw.h"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "tensor/state_dict.h"

namespace filigree::train {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // numbers that are worth a thread

}  // namespace

void adamw_update(const AdamWStep& step, at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v) {
  if (!w.is_cpu()) return adamw_update_reference(step, w, g, m, v);
  FILIGREE_ASSERT(w.is_contiguous() && g.is_contiguous() && m.is_contiguous() && v.is_contiguous());
  const AdamWOptions& o = step.options;
  const auto t = static_cast<double>(step.step);
  const auto scale = static_cast<float>(step.scale), eps = static_cast<float>(o.eps);
  const auto b1 = static_cast<float>(o.beta1), b2 = static_cast<float>(o.beta2);
  const auto c1 = static_cast<float>(1 - o.beta1), c2 = static_cast<float>(1 - o.beta2);
  const auto keep = static_cast<float>(1 - step.rate * step.weight_decay);
  const auto rate = static_cast<float>(step.rate / (1 - std::pow(o.beta1, t)));
  const auto correct = static_cast<float>(1 / (1 - std::pow(o.beta2, t)));
  float* const pw = w.data_ptr<float>();
  float* const pm = m.data_ptr<float>();
  float* const pv = v.data_ptr<float>();
  const float* const pg = g.data_ptr<float>();
  at::parallel_for(0, w.numel(), kGrain, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float gradient = pg[i] * scale;
      pm[i] = b1 * pm[i] + c1 * gradient;
      pv[i] = b2 * pv[i] + c2 * gradient * gradient;
      pw[i] = keep * pw[i] - rate * pm[i] / (std::sqrt(pv[i] * correct) + eps);
    }
  });
}

AdamW::AdamW(std::vector<Trained> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  move_into_buffers();
}

/// The buffer of the parameter's kind, made where there is none yet; `sizes` grows with it.
AdamW::Buffer& AdamW::buffer_for(const Trained& parameter, std::vector<std::int64_t>& sizes) {
  const at::Tensor& tensor = *parameter.tensor;
  for (Buffer& buffer : buffers_) {
    if (buffer.value.scalar_type() == tensor.scalar_type() && buffer.value.device() == tensor.device() &&
        buffer.decay == parameter.decay) {
      return buffer;
    }
  }
  buffers_.push_back({.value = at::empty({0}, tensor.options().requires_grad(false)), .decay = parameter.decay});
  sizes.push_back(0);
  return buffers_.back();
}

void AdamW::move_into_buffers() {
  std::vector<std::int64_t> sizes;
  for (const Trained& parameter : parameters_) {
    FILIGREE_ASSERT(parameter.tensor != nullptr && !parameter.names.empty());
    const auto index = static_cast<std::size_t>(&buffer_for(parameter, sizes) - buffers_.data());
    places_.push_back({index, sizes[index], parameter.tensor->numel()});
    sizes[index] += parameter.tensor->numel();
  }
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    Buffer& buffer = buffers_[i];
    const at::TensorOptions wide = buffer.value.options().dtype(at::kFloat);
    buffer.value = at::empty({sizes[i]}, buffer.value.options());
    buffer.gradient = at::zeros_like(buffer.value);
    buffer.m = at::zeros({sizes[i]}, wide);
    buffer.v = at::zeros({sizes[i]}, wide);
    const bool same = buffer.value.scalar_type() == at::kFloat;
    buffer.master = same ? buffer.value : at::empty({sizes[i]}, wide);
    buffer.sum = same ? buffer.gradient : at::zeros({sizes[i]}, wide);
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& tensor = *parameters_[i].tensor;
    const Place& place = places_[i];
    Buffer& buffer = buffers_[place.buffer];
    const at::Tensor view = buffer.value.narrow(0, place.begin, place.count).view(tensor.sizes());
    view.copy_(tensor);
    buffer.master.narrow(0, place.begin, place.count).copy_(tensor.reshape({-1}));
    tensor = view.detach().requires_grad_(true);
    tensor.mutable_grad() = buffer.gradient.narrow(0, place.begin, place.count).view(tensor.sizes());
  }
}

void AdamW::collect() {
  const c10::NoGradGuard no_grad;
  for (Buffer& buffer : buffers_) {
    if (buffer.sum.is_same(buffer.gradient)) continue;
    buffer.sum.add_(buffer.gradient);
    buffer.gradient.zero_();
  }
}

double AdamW::gradient_norm() const {
  const c10::NoGradGuard no_grad;
  double square = 0;
  for (const Buffer& buffer : buffers_) {
    const auto norm = buffer.sum.norm().item<double>();
    square += norm * norm;
  }
  return std::sqrt(square);
}

void AdamW::refresh_values(Buffer& buffer) {
  if (!buffer.master.is_same(buffer.value)) buffer.value.copy_(buffer.master);
}

void AdamW::step(double rate, double scale) {
  const c10::NoGradGuard no_grad;
  ++steps_;
  AdamWStep what{.rate = rate, .scale = scale, .step = steps_, .options = options_};
  for (Buffer& buffer : buffers_) {
    what.weight_decay = buffer.decay ? options_.weight_decay : 0;
    adamw_update(what, buffer.master, buffer.sum, buffer.m, buffer.v);
    refresh_values(buffer);
    buffer.sum.zero_();
  }
}

std::optional<std::string> AdamW::first_bad(bool gradients) const {
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Place& place = places_[i];
    const Buffer& buffer = buffers_[place.buffer];
    const at::Tensor all = (gradients ? buffer.sum : buffer.master).narrow(0, place.begin, place.count);
    if (at::isfinite(all).all().item<bool>()) continue;
    const std::vector<std::string>& names = parameters_[i].names;
    const at::Tensor slices = all.view({static_cast<std::int64_t>(names.size()), -1});
    for (std::size_t s = 0; s < names.size(); ++s) {
      if (!at::isfinite(slices.select(0, static_cast<std::int64_t>(s))).all().item<bool>()) return names[s];
    }
  }
  return std::nullopt;
}

std::optional<std::string> AdamW::first_bad_value() const { return first_bad(false); }

std::optional<std::string> AdamW::first_bad_gradient() const { return first_bad(true); }

void AdamW::add_state(tensor::NamedTensors& out, std::size_t index) const {
  const Trained& parameter = parameters_[index];
  const Place& place = places_[index];
  const Buffer& buffer = buffers_[place.buffer];
  const auto add = [&](const char* kind, const at::Tensor& flat) {
    const at::Tensor whole = flat.narrow(0, place.begin, place.count).view(parameter.tensor->sizes());
    for (std::size_t s = 0; s < parameter.names.size(); ++s) {
      const bool stacked = parameter.names.size() > 1;
      out.emplace_back(kind + parameter.names[s], stacked ? whole.select(0, static_cast<std::int64_t>(s)) : whole);
    }
  };
  if (!buffer.master.is_same(buffer.value)) add("master.", buffer.master);
  add("m.", buffer.m);
  add("v.", buffer.v);
}

tensor::NamedTensors AdamW::state() const {
  tensor::NamedTensors out;
  for (std::size_t i = 0; i < parameters_.size(); ++i) add_state(out, i);
  out.emplace_back("steps", at::full({1}, steps_, at::kLong));
  return out;
}

void AdamW::load_state(const tensor::SafeTensors& file) {
  const c10::NoGradGuard no_grad;
  const tensor::NamedTensors destination = state();
  tensor::load_into(destination, file);
  steps_ = destination.back().second.item<std::int64_t>();
  for (Buffer& buffer : buffers_) {
    refresh_values(buffer);
    buffer.sum.zero_();
  }
}

}  // namespace filigree::train
