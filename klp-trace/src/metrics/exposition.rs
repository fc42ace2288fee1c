//! The text that Prometheus reads, format 0.0.4: node_exporter's textfiles take no other.

use super::metric::{Kind, Metric};
use super::samples::{Sample, Samples};
use super::snapshot::Moment;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use std::collections::HashMap;
use thiserror::Error;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why there is no text.
#[derive(Debug, Error)]
#[error("the metrics cannot be written: {0}")]
pub struct ExpositionError(#[from] prometheus::Error);

/// Writes what is known at the moment of asking.
#[derive(Clone)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// `now` gives what is known when somebody asks.
    ///
    /// # Errors
    /// Fails where a metric's name, labels or help are not what the format wants.
    pub fn new(now: impl Fn() -> Moment + Send + Sync + 'static) -> Result<Self, ExpositionError> {
        let desc = |metric: &Metric| {
            let labels = metric.labels().iter().map(|label| label.name().to_owned()).collect();
            Desc::new(metric.name().to_owned(), metric.help().to_owned(), labels, HashMap::new())
        };
        let descs = Metric::ALL.iter().map(desc).collect::<Result<_, _>>()?;
        let registry = Registry::new();
        registry.register(Box::new(Known { now: Box::new(now), descs }))?;
        Ok(Self { registry })
    }

    /// The text.
    ///
    /// # Errors
    /// Fails where the encoder does.
    pub fn text(&self) -> Result<String, ExpositionError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

struct Known {
    now: Box<dyn Fn() -> Moment + Send + Sync>,
    descs: Vec<Desc>,
}

impl Collector for Known {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let moment = (self.now)();
        let samples = Samples::of(&moment);
        let family = |metric: &Metric| {
            let samples = samples.get(*metric);
            (!samples.is_empty()).then(|| family(*metric, samples))
        };
        Metric::ALL.iter().filter_map(family).collect()
    }
}

fn family(metric: Metric, samples: Vec<Sample>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name().to_owned());
    family.set_help(metric.help().to_owned());
    family.set_field_type(match metric.kind() {
        Kind::Gauge => MetricType::GAUGE,
        Kind::Counter => MetricType::COUNTER,
    });
    let sample = |(values, value): Sample| {
        let labels = metric.labels().iter().zip(values).map(|(label, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(label.name().to_owned());
            pair.set_value(value);
            pair
        });
        let mut sample = prometheus::proto::Metric::from_label(labels.collect());
        match metric.kind() {
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                sample.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                sample.set_counter(counter);
            }
        }
        sample
    };
    family.set_metric(samples.into_iter().map(sample).collect());
    family
}
