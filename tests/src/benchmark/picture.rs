//! Time over mounts, both logarithmic, as a picture.

use std::fmt::Write as _;

use super::opening::{
    BUILD, EMPTY, FLOOR_BARE, FLOOR_JOIN, JOIN, MOUNT, NAMESPACE, NAMESPACE_BARE, OPEN,
};
use super::{Results, goals, table};

/// What is drawn, and by which class: ours stand out.
const LINES: [(&str, &str); 8] = [
    (MOUNT, "peer"),
    (NAMESPACE, "peer"),
    (NAMESPACE_BARE, "peer"),
    (BUILD, "ours"),
    (JOIN, "ours"),
    (FLOOR_JOIN, "floor"),
    (EMPTY, "floor"),
    (FLOOR_BARE, "floor"),
];

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 560.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 410.0;
/// Labels closer than that would overlap.
const LABEL: f64 = 17.0;

/// Readable on a light and on a dark page.
const STYLE: &str = "
  text { font: 13px sans-serif; fill: #555 }
  .grid { stroke: #999; stroke-opacity: .35 }
  .peer { stroke: #b5651d; fill: #b5651d }
  .ours { stroke: #1f77b4; fill: #1f77b4 }
  .floor { stroke: #888; fill: #888 }
  polyline { fill: none !important; stroke-width: 2 }
  polyline.ours { stroke-width: 3.5 }
  polyline.floor { stroke-dasharray: 5 4 }
  text.peer, text.ours, text.floor { stroke: none }
  text.ours { font-weight: bold }
  @media (prefers-color-scheme: dark) { text { fill: #bbb } }
";

/// One line: points of mounts and nanoseconds.
struct Curve {
    name: &'static str,
    class: &'static str,
    points: Vec<(u64, u64)>,
}

/// The axes: both logarithms of what they show.
struct Axes {
    mounts: (f64, f64),
    times: (f64, f64),
}

/// The picture, as SVG.
#[must_use]
pub fn draw(results: &Results) -> String {
    let counts = goals::mounts(results);
    let curves: Vec<Curve> = LINES
        .iter()
        .map(|&(name, class)| Curve {
            name,
            class,
            points: counts
                .iter()
                .filter_map(|&of| Some((of, results.samples(OPEN, name, of)?.median())))
                .collect(),
        })
        .filter(|curve| !curve.points.is_empty())
        .collect();
    let axes = Axes::around(&curves);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>Time to open a session, by the number of the host's mounts</title>\n\
         <style>{STYLE}</style>\n\
         <text x=\"{LEFT}\" y=\"20\">pam_open_session, median; both axes logarithmic</text>\n"
    );
    axes.draw(&counts, &mut svg);
    for curve in &curves {
        axes.draw_curve(curve, &mut svg);
    }
    axes.draw_names(&curves, &mut svg);
    svg.push_str("</svg>\n");
    svg
}

impl Axes {
    fn around(curves: &[Curve]) -> Self {
        let all = || curves.iter().flat_map(|curve| &curve.points);
        let range = |of: fn(&(u64, u64)) -> u64| {
            let logarithms = all().map(|point| (of(point).max(1) as f64).log10());
            logarithms.fold((f64::MAX, f64::MIN), |(low, high), it| {
                (low.min(it), high.max(it))
            })
        };
        let mounts = range(|point| point.0);
        let times = range(|point| point.1);
        Self {
            mounts: (mounts.0, mounts.1.max(mounts.0 + 0.1)),
            times: (times.0.floor(), times.1.ceil()),
        }
    }

    fn x(&self, mounts: u64) -> f64 {
        let (low, high) = self.mounts;
        LEFT + ((mounts as f64).log10() - low) / (high - low) * (RIGHT - LEFT)
    }

    fn y(&self, nanoseconds: u64) -> f64 {
        let (low, high) = self.times;
        BOTTOM - ((nanoseconds.max(1) as f64).log10() - low) / (high - low) * (BOTTOM - TOP)
    }

    fn draw(&self, counts: &[u64], svg: &mut String) {
        for exponent in self.times.0 as u32..=self.times.1 as u32 {
            let time = 10_u64.pow(exponent);
            let y = self.y(time);
            let label = table::time(time).replace(".00", "");
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\n\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for &count in counts {
            let x = self.x(count);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\n\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{count}</text>",
                BOTTOM + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">mounts on the host</text>",
            (LEFT + RIGHT) / 2.0,
            BOTTOM + 38.0
        );
    }

    fn draw_curve(&self, curve: &Curve, svg: &mut String) {
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|&(mounts, time)| format!("{:.1},{:.1}", self.x(mounts), self.y(time)))
            .collect();
        let class = curve.class;
        let _ = writeln!(
            svg,
            "<polyline class=\"{class}\" points=\"{}\"/>",
            points.join(" ")
        );
        for &(mounts, time) in &curve.points {
            let (x, y) = (self.x(mounts), self.y(time));
            let _ = writeln!(
                svg,
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>"
            );
        }
    }

    /// At the right end of each, from the top, none over another.
    fn draw_names(&self, curves: &[Curve], svg: &mut String) {
        let mut names: Vec<(f64, &Curve)> = curves
            .iter()
            .filter_map(|curve| Some((self.y(curve.points.last()?.1), curve)))
            .collect();
        names.sort_by(|left, right| left.0.total_cmp(&right.0));
        let mut lowest = f64::MIN;
        for (y, curve) in names {
            lowest = y.max(lowest + LABEL);
            let Curve { name, class, .. } = curve;
            let _ = writeln!(
                svg,
                "<text class=\"{class}\" x=\"{}\" y=\"{:.1}\">{name}</text>",
                RIGHT + 10.0,
                lowest + 4.0
            );
        }
    }
}
