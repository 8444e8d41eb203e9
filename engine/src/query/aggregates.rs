//! Aggregates whose results do not depend on the path to them: `sum`, `avg`, `min` and `max` of floats.
//!
//! DataFusion's own forms depend on the order of rows, on the number of partitions and on whether there is a
//! `GROUP BY`: sums by their rounding, and extremes by where a NaN stands (a grouped `max` begins anew after each,
//! and never falls below the least finite float). With these forms every plan gives the same bits, the bits
//! of the streaming reduce. Other types, `DISTINCT`, names, coercions and results of whole numbers are as
//! DataFusion has them: each function keeps the built-in one and asks it for everything else.

mod extremes;
mod sums;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Operator,
    ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};

use extremes::Extremes;
use sums::{SumAccumulator, SumGroups};

/// Registers the aggregates over those that DataFusion has.
pub(crate) fn register(context: &SessionContext) {
    for (form, built_in) in
        [(Form::Sum, sum_udaf()), (Form::Avg, avg_udaf()), (Form::Min, min_udaf()), (Form::Max, max_udaf())]
    {
        context.register_udaf(AggregateUDF::new_from_impl(Settled { form, built_in }));
    }
}

/// Which aggregate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Form {
    Sum,
    Avg,
    Min,
    Max,
}

/// An aggregate that does not depend on the path, over the built-in one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Settled {
    form: Form,
    built_in: Arc<AggregateUDF>,
}

impl Settled {
    /// Tells whether values are summed here; coercion makes `Float64` of all floats and, for means, of
    /// whole numbers.
    fn sums(&self, values: &DataType, is_distinct: bool) -> bool {
        matches!(self.form, Form::Sum | Form::Avg) && *values == DataType::Float64 && !is_distinct
    }
}

impl AggregateUDFImpl for Settled {
    fn name(&self) -> &str {
        self.built_in.name()
    }

    fn aliases(&self) -> &[String] {
        self.built_in.aliases()
    }

    fn signature(&self) -> &Signature {
        self.built_in.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.built_in.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.built_in.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.built_in.return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.built_in.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if self.sums(args.input_fields[0].data_type(), args.is_distinct) {
            return Ok(sums::state_fields(args.name));
        }
        self.built_in.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if self.sums(args.expr_fields[0].data_type(), args.is_distinct) {
            return Ok(Box::new(SumAccumulator::new(self.form == Form::Avg)));
        }
        // Without groups the built-in extremes are those of the total order.
        self.built_in.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if self.sums(args.expr_fields[0].data_type(), args.is_distinct) {
            return Ok(Box::new(SumAccumulator::new(self.form == Form::Avg)));
        }
        self.built_in.create_sliding_accumulator(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.built_in.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let values = args.expr_fields[0].data_type();
        if self.sums(values, args.is_distinct) {
            return Ok(Box::new(SumGroups::new(self.form == Form::Avg)));
        }
        Ok(match (self.form, values) {
            (Form::Min, DataType::Float32) => Box::new(Extremes::<Float32Type, false>::new()),
            (Form::Min, DataType::Float64) => Box::new(Extremes::<Float64Type, false>::new()),
            (Form::Max, DataType::Float32) => Box::new(Extremes::<Float32Type, true>::new()),
            (Form::Max, DataType::Float64) => Box::new(Extremes::<Float64Type, true>::new()),
            _ => return self.built_in.create_groups_accumulator(args),
        })
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // DataFusion asks for order wherever it does not know better, of a mean for example.
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        // Each of them gives the same in both directions.
        ReversedUDAF::Identical
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.built_in.simplify()
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        argument: &Expr,
        operator: Operator,
        literal: &Expr,
        is_left: bool,
    ) -> Result<Option<Expr>> {
        self.built_in.simplify_expr_op_literal(function, argument, operator, literal, is_left)
    }

    fn is_descending(&self) -> Option<bool> {
        self.built_in.is_descending()
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        // A sum of floats in statistics was added up in some order.
        if self.form == Form::Sum && *args.return_type == DataType::Float64 {
            return None;
        }
        self.built_in.value_from_stats(args)
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.built_in.default_value(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.built_in.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.built_in.inner().set_monotonicity(data_type)
    }
}

#[cfg(test)]
mod tests;
