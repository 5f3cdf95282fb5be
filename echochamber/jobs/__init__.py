"""What every job shares: its frame, files, locks, leases of GPUs, launching, Slurm."""
