#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "tensor/mapped_file.h"

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little-endian, and are mapped as they are");

namespace filigree::tensor {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFileEnd = ".safetensors";
constexpr std::string_view kIndexEnd = ".safetensors.index.json";

at::ScalarType scalar_type(StoredType type) {
  switch (type) {
    case StoredType::boolean:
      return at::kBool;
    case StoredType::u8:
    case StoredType::f8_e5m2:
    case StoredType::f8_e4m3:
      return at::kByte;
    case StoredType::i8:
      return at::kChar;
    case StoredType::i16:
      return at::kShort;
    case StoredType::f16:
      return at::kHalf;
    case StoredType::bf16:
      return at::kBFloat16;
    case StoredType::i32:
      return at::kInt;
    case StoredType::f32:
      return at::kFloat;
    case StoredType::f64:
      return at::kDouble;
    case StoredType::i64:
      return at::kLong;
  }
  FILIGREE_ASSERT(false);
  return at::kByte;
}

/// One file, open.
struct Shard {
  fs::path path;
  std::shared_ptr<MappedFile> file;
  SafeTensorsHeader header;
};

std::shared_ptr<const Shard> open_shard(const fs::path& path) {
  auto shard = std::make_shared<Shard>();
  shard->path = path;
  shard->file = MappedFile::open(path);
  shard->header = parse_safetensors_header(shard->file->bytes(), path.string());
  return shard;
}

std::vector<fs::path> files_that_end_with(const fs::path& folder, std::string_view end) {
  std::vector<fs::path> files;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    if (entry.path().filename().string().ends_with(end)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The file or index to open in a folder.
fs::path find_in_folder(const fs::path& folder) {
  std::error_code code;
  for (const std::string_view stem : {"model", "diffusion_pytorch_model"}) {
    for (const std::string_view end : {kIndexEnd, kFileEnd}) {
      fs::path path = folder / fmt::format("{}{}", stem, end);
      if (fs::exists(path, code)) return path;
    }
  }
  for (const std::string_view end : {kIndexEnd, kFileEnd}) {
    const std::vector<fs::path> found = files_that_end_with(folder, end);
    if (found.size() == 1) return found.front();
    if (found.size() > 1) {
      fail("{}: holds {} files that end with {} and none is called 'model{}'{}; name the one to open", folder.string(),
           found.size(), end, end, end == kFileEnd ? ", and no index" : "");
    }
  }
  fail("{}: holds no safetensors file and no index of one (model{}, model{})", folder.string(), kFileEnd, kIndexEnd);
}

/// Any other bytes than 0 and 1 are no values of a bool.
void check_bools(const char* data, std::size_t count, const Shard& shard, const std::string& name) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto byte = static_cast<unsigned char>(data[i]);
    if (byte > 1) fail("{}: tensor '{}' of BOOL holds the byte {}, expected 0 or 1", shard.path.string(), name, byte);
  }
}

}  // namespace

struct SafeTensors::State {
  struct Place {
    std::shared_ptr<const Shard> shard;
    const StoredTensor* tensor;
  };
  fs::path path;
  std::vector<std::string> names;
  std::unordered_map<std::string, Place> places;
  std::map<std::string, std::string> metadata;

  void add(const std::shared_ptr<const Shard>& shard, const StoredTensor& tensor) {
    names.push_back(tensor.name);
    places.emplace(tensor.name, Place{shard, &tensor});
  }

  void open_file(const fs::path& file) {
    const auto shard = open_shard(file);
    for (const StoredTensor& tensor : shard->header.tensors) add(shard, tensor);
    metadata = shard->header.metadata;
  }

  void open_index(const fs::path& index) {
    const std::map<std::string, std::string> files = parse_safetensors_index(read_file(index), index.string());
    struct Opened {
      std::shared_ptr<const Shard> shard;
      std::unordered_map<std::string, const StoredTensor*> tensors;
    };
    std::map<std::string, Opened> shards;
    for (const auto& [name, file] : files) {
      Opened& opened = shards[file];
      if (!opened.shard) {
        const fs::path shard_path = index.parent_path() / file;
        std::error_code code;
        if (!fs::exists(shard_path, code)) {
          fail("{}: names the shard '{}' for tensor '{}', but there is no such file beside it", index.string(), file,
               name);
        }
        opened.shard = open_shard(shard_path);
        for (const StoredTensor& tensor : opened.shard->header.tensors) opened.tensors.emplace(tensor.name, &tensor);
        metadata.insert(opened.shard->header.metadata.begin(), opened.shard->header.metadata.end());
      }
      const auto it = opened.tensors.find(name);
      if (it == opened.tensors.end()) {
        fail("{}: says that tensor '{}' is in '{}', but that file does not hold it", index.string(), name, file);
      }
      add(opened.shard, *it->second);
    }
  }

  const Place& place(const std::string& name) const {
    const auto it = places.find(name);
    if (it == places.end()) {
      fail("{}: holds no tensor '{}'{}", path.string(), name, text::did_you_mean(name, names));
    }
    return it->second;
  }
};

SafeTensors SafeTensors::open(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) fail("{}: no such file or folder", path.string());
  auto state = std::make_shared<State>();
  state->path = fs::is_directory(path, code) ? find_in_folder(path) : path;
  if (state->path.filename().string().ends_with(".json"))
    state->open_index(state->path);
  else
    state->open_file(state->path);
  return SafeTensors(std::move(state));
}

const fs::path& SafeTensors::path() const { return state_->path; }

const std::vector<std::string>& SafeTensors::names() const { return state_->names; }

bool SafeTensors::has(const std::string& name) const { return state_->places.count(name) != 0; }

const StoredTensor& SafeTensors::info(const std::string& name) const { return *state_->place(name).tensor; }

void SafeTensors::will_need(const std::string& name) const {
  const State::Place& place = state_->place(name);
  place.shard->file->will_need(place.shard->header.data_start + place.tensor->begin,
                               place.tensor->end - place.tensor->begin);
}

void SafeTensors::forget(const std::string& name) const {
  const State::Place& place = state_->place(name);
  place.shard->file->forget(place.shard->header.data_start + place.tensor->begin,
                            place.tensor->end - place.tensor->begin);
}

const std::map<std::string, std::string>& SafeTensors::metadata() const { return state_->metadata; }

at::Tensor SafeTensors::get(const std::string& name) const {
  const State::Place& place = state_->place(name);
  const StoredTensor& stored = *place.tensor;
  const at::TensorOptions options = at::TensorOptions(scalar_type(stored.type));
  if (stored.begin == stored.end) return at::empty(stored.shape, options);
  char* data = place.shard->file->data() + place.shard->header.data_start + stored.begin;
  const std::size_t bytes = stored.end - stored.begin;
  if (stored.type == StoredType::boolean) check_bools(data, bytes, *place.shard, name);
  if (reinterpret_cast<std::uintptr_t>(data) % bytes_of(stored.type) != 0) {
    at::Tensor copy = at::empty(stored.shape, options);
    std::memcpy(copy.data_ptr(), data, bytes);
    return copy;
  }
  return at::from_blob(
      data, stored.shape, [file = place.shard->file](void*) {}, options);
}

at::Tensor SafeTensors::get(const std::string& name, at::ScalarType dtype, at::Device device) const {
  const StoredType type = info(name).type;
  const at::Tensor tensor = get(name).to(device);
  if (type == StoredType::f8_e4m3) return float8_to_float32(tensor, Float8::e4m3).to(dtype);
  if (type == StoredType::f8_e5m2) return float8_to_float32(tensor, Float8::e5m2).to(dtype);
  return tensor.to(dtype);
}

}  // namespace filigree::tensor
