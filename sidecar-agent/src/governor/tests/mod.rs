//! Tests of the governor.
mod needs;
mod plant;
mod rules;
mod simulation;
