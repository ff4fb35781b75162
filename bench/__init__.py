"""What the figures in docs/performance.md come from: three ways to one upstream, measured in turns."""
