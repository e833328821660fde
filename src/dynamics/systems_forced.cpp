#include "dynamics/systems_table.h"

/// Flows with an outer drive, whose phase or time is their last coordinate. Parameters and equations as in
/// williamgilpin/dysts: dysts/flows.py.
namespace filigree::dynamics::table {
namespace {

/// Switches smoothly between 1 and 0 twice a period.
double protocol(double t, double tau) { return 0.5 + 0.5 * std::tanh(20 * tau * std::sin(2 * pi * t / tau)); }

/// Radial and angular velocity around a stirrer at distance b in a disc of radius a.
std::array<double, 2> rotlet(double r, double theta, double a, double b, double bc) {
  const double bb = b * b, aa = a * a, rr = r * r, c = std::cos(theta);
  const double kappa = aa + bb * rr / aa - 2 * b * r * c, zeta = bb + rr - 2 * b * r * c;
  const double gamma = (1 - rr / aa) * (aa - bb * rr / aa), iota = bb * r / aa - b * c;
  const double nu = aa + bb - 2 * bb * rr / aa;
  return {b * std::sin(theta) * (-bc * gamma / (kappa * kappa) - 1 / kappa + 1 / zeta),
          bc * gamma * iota / (kappa * kappa) + bc * r * nu / (aa * kappa) + iota / kappa - (r - b * c) / zeta};
}

Flow blinking(P p) {
  return [a = p("a"), b = p("b"), bc = p("bc"), sigma = p("sigma"), tau = p("tau")](double, In s, Out o) {
    const auto [r, theta, time] = at<3>(s);
    const auto [r1, t1] = rotlet(r, theta, a, b, bc);
    const auto [r2, t2] = rotlet(r, theta, a, -b, bc);
    const double weight = protocol(time, tau);
    put(o, sigma * (weight * r1 + (1 - weight) * r2), sigma * (weight * t1 + (1 - weight) * t2) / r, 1.0);
  };
}

/// One Fourier mode of the flow in a cavity whose lid moves; k = 1, 2.
std::array<double, 2> cavity_mode(double x, double y, double a, double b, int k) {
  const double wave = k * pi, norm = 2 / (2 * wave * b + a * std::sinh(2 * wave * b / a));
  const double sinh_b = std::sinh(wave * b / a), cosh_b = std::cosh(wave * b / a);
  const double sinh_y = std::sinh(wave * y / a), cosh_y = std::cosh(wave * y / a);
  return {norm * std::sin(wave * x / a) * (-b * wave * sinh_b * sinh_y + cosh_b * (wave * y * cosh_y + a * sinh_y)),
          norm * wave * std::cos(wave * x / a) * (b * sinh_b * cosh_y - cosh_b * y * sinh_y)};
}

Flow cavity(P p) {
  return [a = p("a"), b = p("b"), tau = p("tau"), u1 = p("u1"), u2 = p("u2")](double, In s, Out o) {
    const auto [x, y, time] = at<3>(s);
    const auto [x1, y1] = cavity_mode(x, y, a, b, 1);
    const auto [x2, y2] = cavity_mode(x, y, a, b, 2);
    const double swing = (2 * protocol(time, tau) - 1) * u1;
    put(o, swing * x1 + u2 * x2, swing * y1 + u2 * y2, 1.0);
  };
}

/// Blake's swimmer turned inside out: modes that alternate between two sets.
Flow squirmer(P p) {
  return [a = p.list("a"), g = p.list("g"), tau = p("tau")](double, In s, Out o) {
    const auto [r, theta, time] = at<3>(s);
    const double phase = protocol(time, tau), inside = r * r - 1;
    double radial = 0, angular = 0, power = 1;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double n = static_cast<double>(i + 1), c = std::cos(n * theta), e = std::sin(n * theta);
      const double first = a[i] * phase, second = g[i] * (1 - phase);
      power *= r;
      radial += (second * c + first * e) * n * power * inside / r;
      angular += (2 * r + inside * n / r) * (first * c - second * e) * power;
    }
    put(o, radial, angular / r, 1.0);
  };
}

const Row rows[] = {
    {"Duffing", "x y z", "Duffing's forced oscillator",
     [](P p) -> Flow {
       return [a = p("alpha"), b = p("beta"), d = p("delta"), g = p("gamma"), w = p("omega")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y, -d * y - b * x - a * cube(x) + g * std::cos(z), w);
       };
     }},
    {"ForcedVanDerPol", "x y z", "van der Pol's oscillator with a force",
     [](P p) -> Flow {
       return [a = p("a"), mu = p("mu"), w = p("w")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, y, mu * (1 - x * x) * y - x + a * std::sin(z), w);
       };
     }},
    {"ForcedFitzHughNagumo", "v w z", "FitzHugh's and Nagumo's neuron with a current",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), current = p("curr"), f = p("f"), g = p("gamma"), omega = p("omega")](
                  double, In s, Out o) {
         const auto [v, w, z] = at<3>(s);
         put(o, v - cube(v) / 3 - w + current + f * std::sin(z), g * (v + a - b * w), omega);
       };
     }},
    {"ForcedBrusselator", "x y z", "the Brusselator with a forced inflow",
     [](P p) -> Flow {
       return [a = p("a"), b = p("b"), f = p("f"), w = p("w")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         put(o, a + x * x * y - (b + 1) * x + f * std::cos(z), b * x - x * x * y, w);
       };
     }},
    {"FluidTrampoline", "x y th", "Gilet's and Bush's drop that bounces on a soap film",
     [](P p) -> Flow {
       return [gamma = p("gamma"), psi = p("psi"), w = p("w")](double, In s, Out o) {
         const auto [x, y, th] = at<3>(s);
         put(o, y, -1 - (x < 0 ? x + psi * y * std::abs(y) : 0) + gamma * std::cos(th), w);
       };
     }},
    {"StickSlipOscillator", "x v th", "a mass on a moving belt with dry friction",
     [](P p) -> Flow {
       return [a = p("a"), alpha = p("alpha"), b = p("b"), beta = p("beta"), eps = p("eps"), gamma = p("gamma"),
               t0 = p("t0"), vs = p("vs"), w = p("w")](double, In s, Out o) {
         const auto [x, v, th] = at<3>(s);
         const double friction = t0 * sign(v - vs) - alpha * v + beta * cube(v - vs);
         put(o, v, eps * (gamma * std::cos(th) - friction) + a * x - b * cube(x), w);
       };
     }},
    {"TurchinHanski", "n p z", "Turchin's and Hanski's voles and weasels through the seasons",
     [](P p) -> Flow {
       return
           [a = p("a"), d = p("d"), e = p("e"), g = p("g"), h = p("h"), r = p("r"), c = p("s")](double, In s, Out o) {
             const auto [n, q, z] = at<3>(s);
             const double season = 1 - e * std::sin(z);
             put(o, r * season * n - r * n * n - g * n * n / (n * n + h * h) - a * n * q / (n + d),
                 c * season * q - c * q * q / n, 2 * pi);
           };
     }},
    {"CircadianRhythm", "m fc fs fn th", "Gonze's and Leloup's clock of a fly under light and dark",
     [](P p) -> Flow {
       return [ki = p("Ki"), k = p("k"), k1 = p("k1"), k2 = p("k2"), kd = p("kd"), kdn = p("kdn"), km = p("km"),
               ks = p("ks"), n = p("n"), day = p("ps"), vc = p("vc"), vd = p("vd"), vdn = p("vdn"), vm = p("vm"),
               vmax = p("vmax"), vmin = p("vmin")](double, In s, Out o) {
         const auto [m, fc, fs, fn, th] = at<5>(s);
         const double vs = vc * (0.5 + 0.5 * std::cos(th) + vmin) * (vmax - vmin), kin = std::pow(ki, n);
         put(o, vs * kin / (kin + std::pow(fn, n)) - vm * m / (km + m), ks * m - k1 * fc + k2 * fn - k * fc,
             k * fc - vd * fs / (kd + fs), k1 * fc - k2 * fn - vdn * fn / (kdn + fn), 2 * pi / day);
       };
     }},
    {"ArnoldWeb", "p1 p2 x1 x2 z", "Arnold's web of resonances, with a driven phase",
     [](P p) -> Flow {
       return [mu = p("mu"), w = p("w")](double, In s, Out o) {
         const auto [p1, p2, x1, x2, z] = at<5>(s);
         const double scale = -mu / square(4 + std::cos(z) + std::cos(x1) + std::cos(x2));
         put(o, scale * std::sin(x1), scale * std::sin(x2), p1, p2, w);
       };
     }},
    {"DoubleGyre", "x y z", "two vortices whose border swings",
     [](P p) -> Flow {
       return [alpha = p("alpha"), eps = p("eps"), omega = p("omega")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double a = eps * std::sin(z), b = 1 - 2 * a, f = pi * (a * x + b) * x;
         put(o, -alpha * pi * std::sin(f) * std::cos(pi * y),
             alpha * pi * std::cos(f) * std::sin(pi * y) * (2 * a * x + b), omega);
       };
     }},
    {"OscillatingFlow", "x y z", "Solomon's and Gollub's swinging rolls",
     [](P p) -> Flow {
       return [b = p("b"), k = p("k"), omega = p("omega"), u = p("u")](double, In s, Out o) {
         const auto [x, y, z] = at<3>(s);
         const double f = k * (x + b * std::sin(z));
         put(o, u * std::cos(k * y) * std::sin(f), -u * std::sin(k * y) * std::cos(f), omega);
       };
     }},
    {"BickleyJet", "y x z", "a zonal jet with three waves",
     [](P p) -> Flow {
       return [ell = p("ell"), eps = p.list("eps"), k = p.list("k"), omega = p("omega"), sigma = p.list("sigma"),
               u = p("u")](double, In s, Out o) {
         const auto [y, x, z] = at<3>(s);
         double even = 0, odd = 0;
         for (std::size_t i = 0; i < k.size(); ++i) {
           const double phase = k[i] * (x - z * sigma[i]);
           even += eps[i] * std::cos(phase);
           odd += eps[i] * k[i] * std::sin(phase);
         }
         const double jet = u / square(std::cosh(y / ell));
         put(o, ell * jet * odd, jet * (-1 - 2 * even * std::tanh(y / ell)), omega);
       };
     }},
    {"BlinkingRotlet", "r theta t", "two stirrers in turn in a viscous disc", blinking},
    {"BlinkingVortex", "r theta t", "two vortices in turn in a disc", blinking},
    {"LidDrivenCavityFlow", "x y t", "a cavity whose lids move in turn", cavity},
    {"InteriorSquirmer", "r theta t", "a drop stirred from its skin", squirmer},
};

}  // namespace

std::span<const Row> forced_rows() { return rows; }

}  // namespace filigree::dynamics::table
