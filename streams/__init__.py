"""The dataflow: stages, the pipeline they form, the in-memory driver and the Faust agents."""
