"""RL post-training: PPO, GRPO and their relatives, Expert Iteration."""
