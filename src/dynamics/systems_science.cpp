#include "dynamics/systems_table.h"

/// Flows from electronics, chemistry, biology, climate and fluids without an outer drive. Parameters and equations as in
/// williamgilpin/dysts: dysts/flows.py.
namespace filigree::dynamics::table {
namespace {

/// Hill's saturation x^n / (k^n + x^n).
double hill(double x, double k, double n) {
  const double power = std::pow(x, n);
  return power / (std::pow(k, n) + power);
}

/// Piecewise linear between -1 and 1.
double clipped(double x) { return 0.5 * (std::abs(x + 1) - std::abs(x - 1)); }

/// Goldbeter's intracellular calcium.
Flow calcium(P p) {
  return
      [k2 = p("K2"), k5 = p("K5"), ka = p("Ka"), kd = p("Kd"), ky = p("Ky"), kz = p("Kz"),
       inflow = p("V0") + p("V1") * p("beta"), v4 = p("beta") * p("V4"), vm2 = p("Vm2"), vm3 = p("Vm3"), vm5 = p("Vm5"),
       eps = p("eps"), k = p("k"), kf = p("kf"), m = p("m"), n = p("n"), q = p("p")](double, In s, Out o) {
        const auto [z, y, a] = at<3>(s);
        const double pump = vm2 * hill(z, k2, 2);
        const double release = vm3 * hill(z, kz, m) * hill(y, ky, 2) * hill(a, ka, 4);
        const double decay = vm5 * hill(a, k5, q) * hill(z, kd, n);
        put(o, inflow - pump + release + kf * y - k * z, pump - release - kf * y, v4 - decay - eps * a);
      };
}

/// One of the two mitotic oscillators, which the other's cyclin kinase inhibits.
struct CellOscillator {
  double k, kc, kd1, kim, v2, v4, vm1, vm3, kd, vd, vi;

  void operator()(In s, double inhibitor, Out o) const {
    const auto [c, m, x] = at<3>(s);
    const double v1 = vm1 * c / (kc + c), v3 = m * vm3;
    put(o, vi * kim / (kim + inhibitor) - vd * x * c / (kd1 + c) - kd * c,
        v1 * (1 - m) / (k + 1 - m) - v2 * m / (k + m), v3 * (1 - x) / (k + 1 - x) - v4 * x / (k + x));
  }
};

/// Chay's excitable cell. dysts keeps the numbers inside the rates of the gates as they are here.
struct ExcitableCell {
  double gi, gkc, gkv, gl, kc, rho, vc, vi, vk, vl;

  void operator()(double, In s, Out o) const {
    const auto [v, n, c] = at<3>(s);
    const double am = 0.1 * (25 + v) / (1 - std::exp(-0.1 * v - 2.5)), bm = 4 * std::exp(-(v + 50) / 18);
    const double ah = 0.07 * std::exp(-0.05 * v - 2.5), bh = 1 / (1 + std::exp(-0.1 * v - 2));
    const double an = 0.01 * (20 + v) / (1 - std::exp(-0.1 * v - 2)), bn = 0.125 * std::exp(-(v + 30) / 80);
    const double open = cube(am / (am + bm)) * ah / (ah + bh);
    put(o, gi * open * (vi - v) + (gkv * square(square(n)) + gkc * c / (1 + c)) * (vk - v) + gl * (vl - v),
        230 * (an - n * (an + bn)), rho * (open * (vc - v) - kc * c));
  }
};

/// Györgyi's and Field's three-variable oscillator.
Flow belousov_zhabotinsky(P p) {
  return
      [c1 = p("c1"), c2 = p("c2"), c3 = p("c3"), c4 = p("c4"), c5 = p("c5"), c6 = p("c6"), c7 = p("c7"), c8 = p("c8"),
       c9 = p("c9"), c10 = p("c10"), c11 = p("c11"), c12 = p("c12"), c13 = p("c13"), ci = p("ci"), kf = p("kf"),
       t0 = p("t0"), y0 = p("y0"), yb1 = p("yb1"), yb2 = p("yb2"), yb3 = p("yb3"), z0 = p("z0")](double, In s, Out o) {
        const double x = std::max(s[0], 0.0), z = s[1], v = s[2];
        const double ybar = yb1 * z * v / (y0 * (yb2 * s[0] + yb3 + kf)), rf = (ci - z0 * z) * std::sqrt(x);
        put(o, t0 * (c1 * x * ybar + c2 * ybar + c3 * x * x + c4 * rf + c5 * x * z - kf * x),
            t0 * (c6 / z0 * rf + c7 * x * z + c8 * z * v + c9 * z - kf * z),
            t0 * (c10 * x * ybar + c11 * ybar + c12 * x * x + c13 * z * v - kf * v));
      };
}

/// Huisman's and Weissing's competition of five species for five resources.
Flow mac_arthur(P p) {
  return [c = p.list("c"), d = p("d"), k = p.list("k"), m = p("m"), r = p("r"), supply = p.list("s")](double, In s,
                                                                                                      Out o) {
    const std::size_t size = 5;
    std::array<double, size> eaten{};
    for (std::size_t i = 0; i < size; ++i) {
      double growth = r;
      for (std::size_t j = 0; j < size; ++j)
        growth = std::min(growth, r * s[size + j] / (k[j * size + i] + s[size + j]));
      eaten[i] = growth * s[i];
      o[i] = eaten[i] - m * s[i];
    }
    for (std::size_t j = 0; j < size; ++j) {
      o[size + j] = d * (supply[j] - s[size + j]);
      for (std::size_t i = 0; i < size; ++i) o[size + j] -= c[j * size + i] * eaten[i];
    }
  };
}

Flow coevolving(P p) {
  return [a1 = p("a1"), a2 = p("a2"), a3 = p("a3"), b1 = p("b1"), b2 = p("b2"), d1 = p("d1"), d2 = p("d2"),
          delta = p("delta"), k1 = p("k1"), k2 = p("k2"), k4 = p("k4"), vv = p("vv")](double, In s, Out o) {
    const auto [x, y, a] = at<3>(s);
    const double a_2 = a * a, delta_2 = delta * delta;
    const double growth = a1 * a * (1 - k1 * x * a * (delta - 1)) / (1 + b1 * a);
    const double death = d1 * (1 - k2 * a_2 * (delta_2 - 1) + k4 * a_2 * a_2 * (delta_2 * delta_2 - 1));
    put(o, x * (growth - a3 * y / (1 + b2 * x) - death), y * (a2 * x / (1 + b2 * x) - d2),
        -vv * (a1 * k1 * x * a * delta / (1 + b1 * a) +
               d1 * (4 * k4 * a_2 * a * delta_2 * delta_2 - 2 * k2 * a * delta_2)));
  };
}

const Row rows[] = {
    {"Chua", "x y z", "Chua's circuit with two scrolls",
     [](P p) -> Flow {
       return [a = p("alpha"), b = p("beta"), m0 = p("m0"), m1 = p("m1")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * (y - x - m1 * x - (m0 - m1) * clipped(x)), x - y + z, -b * y);
       };
     }},
    {"MultiChua", "x y z", "Chua's circuit with many scrolls",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p.list("c"), m = p.list("m")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         double diode = m.back() * x;
         for (std::size_t i = 1; i < m.size(); ++i) {
           diode += 0.5 * (m[i - 1] - m[i]) * (std::abs(x + c[i]) - std::abs(x - c[i]));
         }
         put(o, a * (y - diode), x - y + z, -b * y);
       };
     }},
    {"AnishchenkoAstakhov", "x y z", "Anishchenko's and Astakhov's oscillator",
     [](P p) -> Flow {
       return [eta = p("eta"), mu = p("mu")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, mu * x + y - x * z, -x, eta * ((x > 0 ? x * x : 0) - z));
       };
     }},
    {"Colpitts", "x y z", "the Colpitts oscillator",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("e")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y + a * std::min(z - (e - 1), 0.0), c - x - b * y - z, y - d * z);
       };
     }},
    {"JerkCircuit", "x y z", "Sprott's jerk circuit with a diode",
     [](P p) -> Flow {
       return [eps = p("eps"), y0 = p("y0")](double, In s, Out o) {
         put(o, s[1], s[2], -s[2] - s[0] - eps * (std::exp(s[1] / y0) - 1));
       };
     }},
    {"Laser", "x y z", "a chaotic laser after Abooee",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), h = p("h"), k = p("k")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * (y - x) + b * y * z * z, c * x + d * x * z * z, h * z + k * x * x);
       };
     }},
    {"CellularNeuralNetwork", "x y z", "three cells of a cellular neural network",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double f = clipped(x), g = clipped(y), h = clipped(z);
         put(o, -x + d * f - b * g - b * h, -y - b * f + c * g - a * h, -z - b * f + a * g + h);
       };
     }},
    {"BeerRNN", "x y z", "Beer's continuous-time recurrent network of three neurons",
     [](P p) -> Flow {
       return [tau = p.list("tau"), theta = p.list("theta"), w = p.list("w")](double, In s, Out o) {
         for (std::size_t i = 0; i < 3; ++i) {
           double sum = -s[i];
           for (std::size_t j = 0; j < 3; ++j) sum += w[3 * i + j] / (1 + std::exp(-s[j] - theta[j]));
           o[i] = sum / tau[i];
         }
       };
     }},
    {"Hopfield", "x0 x1 x2 x3 x4 x5", "a Hopfield network of six neurons with frustration",
     [](P p) -> Flow {
       return [beta = p("beta"), eps = p("eps"), k = p.list("k"), tau = p("tau")](double, In s, Out o) {
         for (std::size_t i = 0; i < 6; ++i) {
           double sum = 0;
           for (std::size_t j = 0; j < 6; ++j) sum += k[6 * i + j] * s[j];
           o[i] = -s[i] / tau + (1 + std::tanh(eps * sum)) / 2 - beta;
         }
       };
     }},
    {"HindmarshRose", "x y z", "Hindmarsh's and Rose's bursting neuron",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c"), d = p("d"), e = p("s"), tx = p("tx"), tz = p("tz")](double, In s,
                                                                                                       Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, -x + (y - a * cube(x) + b * x * x + z) / tx, -a * cube(x) - (d - b) * x * x + z, (c - e * x - z) / tz);
       };
     }},
    {"ExcitableCell", "v n c", "Chay's excitable cell",
     [](P p) -> Flow {
       return ExcitableCell{p("gi"),  p("gkc"), p("gkv"), p("gl"), p("kc"),
                            p("rho"), p("vc"),  p("vi"),  p("vk"), p("vl")};
     }},
    {"CaTwoPlus", "z y a", "oscillations of calcium in a cell", calcium},
    {"CaTwoPlusQuasiperiodic", "z y a", "oscillations of calcium in a cell, quasiperiodic", calcium},
    {"CellCycle", "c1 m1 x1 c2 m2 x2", "two coupled mitotic oscillators",
     [](P p) -> Flow {
       const CellOscillator cell{p("K"),   p("Kc"),  p("Kd1"), p("Kim"), p("V2"), p("V4"),
                                 p("Vm1"), p("Vm3"), p("kd1"), p("vd"),  p("vi")};
       return [cell](double, In s, Out o) {
         cell(s, s[4], o);
         cell(s + 3, s[1], o + 3);
       };
     }},
    {"GlycolyticOscillation", "a b c", "Decroly's and Goldbeter's glycolysis",
     [](P p) -> Flow {
       return [d = p("d"), k = p("k"), l1 = p("l1"), l2 = p("l2"), nu = p("nu"), q1 = p("q1"), q2 = p("q2"),
               s1 = p("s1"), s2 = p("s2")](double, In s, Out o) {
         const auto [a, b, c] = at<3>(s);
         const double phi = a * (1 + a) * square(1 + b) / (l1 + square((1 + a) * (1 + b)));
         const double eta = b * (1 + d * b) * square(1 + c) / (l2 + square((1 + d * b) * (1 + c)));
         put(o, nu - s1 * phi, q1 * s1 * phi - s2 * eta, q2 * s2 * eta - k * c);
       };
     }},
    {"BelousovZhabotinsky", "x z v", "the Belousov–Zhabotinsky reaction", belousov_zhabotinsky},
    {"IsothermalChemical", "alpha beta gamma", "Petrov's autocatalytic reaction",
     [](P p) -> Flow {
       return [delta = p("delta"), kappa = p("kappa"), mu = p("mu"), sigma = p("sigma")](double, In s, Out o) {
         const auto [a, b, c] = at<3>(s);
         put(o, mu * (kappa + c) - a * b * b - a, (a * b * b + a - b) / sigma, (b - c) / delta);
       };
     }},
    {"KawczynskiStrizhak", "x y z", "Kawczynski's and Strizhak's reaction",
     [](P p) -> Flow {
       return [beta = p("beta"), gamma = p("gamma"), kappa = p("kappa"), mu = p("mu")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, gamma * (y - cube(x) + 3 * mu * x), -2 * mu * x - y - z + beta, kappa * (x - z));
       };
     }},
    {"Finance", "x y z", "Cai's and Huang's model of interest, investment and prices",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, (1 / b - a) * x + z + x * y, -b * y - x * x, -x - c * z);
       };
     }},
    {"HastingsPowell", "x y z", "Hastings's and Powell's food chain of three species",
     [](P p) -> Flow {
       return
           [a1 = p("a1"), a2 = p("a2"), b1 = p("b1"), b2 = p("b2"), d1 = p("d1"), d2 = p("d2")](double, In s, Out o) {
             const auto [x, y, z] = at<3>(s);
             const double first = a1 * x * y / (1 + b1 * x), second = a2 * y * z / (1 + b2 * y);
             put(o, x * (1 - x) - first, first - second - d1 * y, second - d2 * z);
           };
     }},
    {"Blasius", "x y z", "Blasius's food chain: synchronous populations",
     [](P p) -> Flow {
       return [a = p("a"), a1 = p("alpha1"), a2 = p("alpha2"), b = p("b"), c = p("c"), k1 = p("k1"), k2 = p("k2"),
               zs = p("zs")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double first = a1 * x * y / (1 + k1 * x), second = a2 * y * z / (1 + k2 * y);
         put(o, a * x - first, -b * y + first - second, -c * (z - zs) + second);
       };
     }},
    {"SaltonSea", "x y z", "fish and pelicans of the Salton Sea",
     [](P p) -> Flow {
       return [a = p("a"), d = p("d"), k = p("k"), lam = p("lam"), m = p("m"), mu = p("mu"), r = p("r"), th = p("th")](
                  double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double caught = y * z / (y + a);
         put(o, r * x * (1 - (x + y) / k) - lam * x * y, lam * x * y - m * caught - mu * y, th * caught - d * z);
       };
     }},
    {"CoevolvingPredatorPrey", "x y alpha", "a predator, its prey and the prey's evolving trait", coevolving},
    {"MacArthur", "n0 n1 n2 n3 n4 r0 r1 r2 r3 r4", "five species that compete for five resources", mac_arthur},
    {"ItikBanksTumor", "x y z", "Itik's and Banks's tumour, healthy cells and immune cells",
     [](P p) -> Flow {
       return [a12 = p("a12"), a13 = p("a13"), a21 = p("a21"), a31 = p("a31"), d3 = p("d3"), k3 = p("k3"), r2 = p("r2"),
               r3 = p("r3")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, x * (1 - x) - a12 * x * y - a13 * x * z, r2 * y * (1 - y) - a21 * x * y,
             r3 * x * z / (x + k3) - a31 * x * z - d3 * z);
       };
     }},
    {"VallisElNino", "x y z", "Vallis's El Niño",
     [](P p) -> Flow {
       return [b = p("b"), c = p("c"), q = p("p")](double, In s, Out o) {
         put(o, b * s[1] - c * (s[0] + q), -s[1] + s[0] * s[2], -s[2] - s[0] * s[1] + 1);
       };
     }},
    {"AtmosphericRegime", "x y z", "regimes of the atmosphere after Tuwankotta",
     [](P p) -> Flow {
       return [a = p("alpha"), b = p("beta"), mu1 = p("mu1"), mu2 = p("mu2"), w = p("omega"), g = p("sigma")](
                  double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, mu1 * x + g * x * y, mu2 * y + (w + a * y + b * z) * z - g * x * x, mu2 * z - (w + a * y + b * z) * y);
       };
     }},
    {"WindmiReduced", "i v p", "solar wind and magnetosphere, reduced",
     [](P p) -> Flow {
       return
           [a1 = p("a1"), b1 = p("b1"), b2 = p("b2"), b3 = p("b3"), d1 = p("d1"), vsw = p("vsw")](double, In s, Out o) {
             const auto [i, v, q] = at<3>(s);
             put(o, a1 * (vsw - v), b1 * i - b2 * q / 2 - b3 * v,
                 vsw * vsw - std::pow(q, 1.25) * std::sqrt(vsw) * (1 + std::tanh(d1 * (i - 1))) / 2);
           };
     }},
    {"ArnoldBeltramiChildress", "x y z", "a steady flow of an ideal fluid with chaotic paths",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), c = p("c")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a * std::sin(z) + c * std::cos(y), b * std::sin(x) + a * std::cos(z),
             c * std::sin(y) + b * std::cos(x));
       };
     }},
};

}  // namespace

std::span<const Row> science_rows() { return rows; }

}  // namespace filigree::dynamics::table
