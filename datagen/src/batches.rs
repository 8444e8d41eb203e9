//! From slots to record batches: which rows a version has, in which order, and their columns.
//!
//! Rows are made chunk by chunk (see [`crate::signal`]): the late ones of the version before first, then
//! those of each chunk in time order, less the gaps, with doubles after their originals and a few rows
//! exchanged where the series is out of order.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use rand::Rng;

use crate::plan::{Column, Plan, Pond};
use crate::signal::{CHUNK, Signal};
use crate::streams::{self, LANE_GAPS, LANE_ROWS};

/// Most rows in a batch.
const BATCH_ROWS: usize = 8_192;
/// Share of the rows that are exchanged in a series that is out of order.
const EXCHANGED_PPM: u32 = 10_000;
/// Slots among which at most one gap lies.
const GAP_BLOCK: u64 = 512;

/// Returns the schema of a version with these value columns.
pub(crate) fn schema(columns: &[Column]) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields = vec![Field::new("timestamp", time, false)];
    for column in columns {
        let data_type = if column.integer { DataType::Int64 } else { DataType::Float64 };
        fields.push(Field::new(&column.name, data_type, true));
    }
    Arc::new(Schema::new(fields))
}

/// The batches of one version of one series.
pub(crate) struct Batches {
    pond: Arc<Pond>,
    plan: Plan,
    schema: SchemaRef,
    columns: Vec<(Column, Signal)>,
    /// Late slots that this version has from the one before, until they are shown.
    arriving: Vec<u64>,
    /// Late slots that this version leaves to the next.
    leaving: Vec<u64>,
    next_slot: u64,
    end_slot: u64,
    /// Slots to show, in the order of the rows; each list is one batch.
    ready: VecDeque<Vec<u64>>,
}

impl Batches {
    pub(crate) fn new(pond: &Arc<Pond>, plan: &Plan, version: u32) -> Self {
        let columns = plan.columns(pond, version);
        let (next_slot, end_slot) = plan.span(version);
        Self {
            schema: schema(&columns),
            columns: columns
                .into_iter()
                .map(|column| {
                    let signal = Signal::new(pond, plan.number, &column);
                    (column, signal)
                })
                .collect(),
            arriving: plan.late_slots(pond, version - 1),
            leaving: plan.late_slots(pond, version),
            next_slot,
            end_slot,
            ready: VecDeque::new(),
            pond: Arc::clone(pond),
            plan: plan.clone(),
        }
    }

    /// Puts the rows of the rest of the current chunk in `ready`.
    fn advance(&mut self) {
        let end = ((self.next_slot / CHUNK + 1) * CHUNK).min(self.end_slot);
        let mut slots = std::mem::take(&mut self.arriving);
        let late = slots.len();
        self.present_slots(self.next_slot, end, &mut slots);
        self.unsettle(&mut slots, late);
        self.ready.extend(slots.chunks(BATCH_ROWS).map(<[u64]>::to_vec));
        self.next_slot = end;
    }

    /// Appends the slots from `first` to `end` that are in no gap and do not leave for the next version.
    fn present_slots(&self, first: u64, end: u64, slots: &mut Vec<u64>) {
        let gaps_ppm = self.pond.oddities.gaps_ppm;
        let block_slots = GAP_BLOCK.min(self.pond.slots / 4);
        let mut add = |from: u64, to: u64| {
            let free = self.leaving.first().is_none_or(|&slot| slot >= to);
            slots.extend((from..to).filter(|slot| free || !self.leaving.contains(slot)));
        };
        if gaps_ppm == 0 || block_slots < 4 {
            return add(first, end);
        }
        let mut at = first;
        for block in first / block_slots..=(end - 1) / block_slots {
            let (gap_first, gap_end) = self.gap(block, block_slots);
            let gap_first = gap_first.clamp(at, end);
            add(at, gap_first);
            at = gap_end.clamp(gap_first, end);
        }
        add(at, end);
    }

    /// Returns the gap of a block: its first slot and the one after its last, which are equal if none.
    fn gap(&self, block: u64, block_slots: u64) -> (u64, u64) {
        let first = block * block_slots;
        let mut rng = streams::stream(&self.pond.key, self.plan.number, LANE_GAPS);
        rng.set_word_pos(u128::from(block) * 16);
        // A gap takes an eighth of its block in the mean.
        let likely = u64::from(rng.next_u32()) < streams::threshold(self.pond.oddities.gaps_ppm) * 8;
        let length = 1 + streams::below(&mut rng, block_slots / 4);
        let start = first + streams::below(&mut rng, block_slots - length);
        let end = start + length;
        if likely && !self.plan.is_before_boundary(start, end) { (start, end) } else { (first, first) }
    }

    /// Doubles and exchanges rows, apart from the first `late` ones.
    fn unsettle(&self, slots: &mut Vec<u64>, late: usize) {
        let twice_below = streams::threshold(self.pond.oddities.duplicates_ppm);
        let exchange_below = if self.plan.out_of_order { streams::threshold(EXCHANGED_PPM) } else { 0 };
        if twice_below + exchange_below == 0 || slots.len() == late {
            return;
        }
        let mut rng = streams::stream(&self.pond.key, self.plan.number, LANE_ROWS);
        rng.set_word_pos(u128::from(self.next_slot / CHUNK * CHUNK) * 2);
        let mut fate_slot = self.next_slot / CHUNK * CHUNK;
        let timely = slots.split_off(late);
        let mut exchanges = Vec::new();
        for slot in timely {
            while fate_slot < slot {
                rng.next_u64();
                fate_slot += 1;
            }
            fate_slot += 1;
            let bits = rng.next_u64();
            if bits >> 32 < exchange_below {
                exchanges.push((slots.len(), 1 + (bits >> 8) as usize % 3));
            }
            slots.push(slot);
            if bits & 0xffff_ffff < twice_below {
                slots.push(slot);
            }
        }
        for (at, distance) in exchanges {
            if at + distance < slots.len() {
                slots.swap(at, at + distance);
            }
        }
    }

    fn batch(&mut self, slots: &[u64]) -> RecordBatch {
        let times = slots.iter().map(|&slot| self.pond.start_us + slot as i64 * self.pond.cadence_us);
        let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(times)];
        for (column, signal) in &mut self.columns {
            arrays.push(array(column, signal, slots));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .expect("the arrays are made after the schema, one length and no null time")
    }
}

impl Iterator for Batches {
    type Item = RecordBatch;

    fn next(&mut self) -> Option<RecordBatch> {
        loop {
            if let Some(slots) = self.ready.pop_front() {
                return Some(self.batch(&slots));
            }
            if self.next_slot == self.end_slot {
                return None;
            }
            self.advance();
        }
    }
}

/// Makes a column for these slots.
fn array(column: &Column, signal: &mut Signal, slots: &[u64]) -> ArrayRef {
    let mut values = Vec::with_capacity(slots.len());
    let mut present = Vec::new();
    let (mut chunk_values, mut chunk_present) = (Vec::new(), Vec::new());
    for run in slots.chunk_by(|a, b| a / CHUNK == b / CHUNK) {
        let chunk = run[0] / CHUNK;
        let first = chunk * CHUNK;
        let count = 1 + run.iter().fold(0, |last, &slot| last.max(slot - first)) as usize;
        chunk_values.clear();
        chunk_present.clear();
        chunk_values.reserve(count);
        signal.fill(chunk, count, &mut chunk_values, &mut chunk_present);
        values.extend(run.iter().map(|&slot| chunk_values[(slot - first) as usize]));
        if signal.has_nulls() {
            present.extend(run.iter().map(|&slot| chunk_present[(slot - first) as usize]));
        }
    }
    let nulls = (present.contains(&false)).then(|| NullBuffer::from(present));
    if column.integer {
        let whole: Vec<i64> = values.iter().map(|&value| value as i64).collect();
        return Arc::new(Int64Array::new(whole.into(), nulls));
    }
    let steps = signal.steps();
    for value in &mut values {
        *value /= steps;
    }
    Arc::new(Float64Array::new(values.into(), nulls))
}
