//! `Network`: what computes a model's first output from its input.

use std::sync::Arc;

use tract_onnx::prelude::{
    Datum, IntoTensor, Tensor, TractError, TractResult, TypedRunnableModel, f16, tvec,
};

/// A network that any thread may run, each run on the thread that asks for it.
#[derive(Debug)]
pub(super) struct Network {
    plan: Arc<TypedRunnableModel>,
    is_half: bool,
}

impl Network {
    /// `is_half` says that its input has numbers of 16 bits.
    pub(super) fn new(plan: Arc<TypedRunnableModel>, is_half: bool) -> Self {
        Self { plan, is_half }
    }

    /// Computes the output from an input, both as numbers of 32 bits.
    pub(super) fn run(&self, input: Tensor) -> TractResult<Tensor> {
        let input = if self.is_half { input.cast_to_dt(f16::datum_type())?.into_owned() } else { input };
        let output = self.plan.run(tvec![input.into()])?.into_iter().next();
        let output = output.ok_or_else(|| TractError::msg("the model has no output"))?.into_tensor();
        if output.datum_type() == f32::datum_type() {
            return Ok(output);
        }
        Ok(output.cast_to::<f32>()?.into_owned())
    }
}
