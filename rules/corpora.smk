"""Text: downloads, tokenizer, corpora as token shards, question sets, mixtures, contamination."""


localrules:
    download,
    corpus,
    mixture,
    mixtures,
    contamination,


# No output and no benchmark file: whoever asks for it, it prints.
rule download:
    log:
        RESULTS / "logs/download.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=2880,
    params:
        spec=of_grid("download"),
        out=GRID.file.data,
    message:
        "Files from the hub"
    shell:
        "job download --spec {params.spec:q} --out {params.out:q} | tee {log:q}"


rule tokenizer:
    output:
        tokenizer=RESULTS / "tokenizer/tokenizer.json",
        config=RESULTS / "tokenizer/tokenizer_config.json",
        provenance=RESULTS / "tokenizer/provenance.json",
    log:
        RESULTS / "logs/tokenizer.log",
    benchmark:
        RESULTS / "benchmarks/tokenizer.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        spec=tokenizer_spec,
        out=subpath(output.tokenizer, parent=True),
    message:
        "Tokenizer"
    shell:
        "job train_tokenizer --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule corpus_shard:
    input:
        tokenizer=rules.tokenizer.output.tokenizer,
        questions=GRID.test_questions if GRID.file.decontaminate else [],
    output:
        tokens=RESULTS / "corpora/{source}/shards/{shard}.bin",
        offsets=RESULTS / "corpora/{source}/shards/{shard}.offsets.npy",
        manifest=RESULTS / "corpora/{source}/shards/{shard}.json",
    log:
        RESULTS / "logs/corpora/{source}/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/corpora/{source}/{shard}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=minutes(shard_cost),
    params:
        spec=shard_spec,
        out=subpath(output.manifest, ancestor=2),
    message:
        "Tokens of {wildcards.source}, shard {wildcards.shard}"
    shell:
        "job tokenize_corpus --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule corpus:
    input:
        shards=corpus_shards,
    output:
        manifest=RESULTS / "corpora/{source}/manifest.json",
        provenance=RESULTS / "corpora/{source}/provenance.json",
    log:
        RESULTS / "logs/corpora/{source}.log",
    benchmark:
        RESULTS / "benchmarks/corpora/{source}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        spec=corpus_spec,
        out=subpath(output.manifest, parent=True),
    message:
        "Corpus {wildcards.source}"
    shell:
        "job join_corpus --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule questions:
    output:
        questions=RESULTS / "questions/{set}/{split}.jsonl",
    log:
        RESULTS / "logs/questions/{set}/{split}.log",
    benchmark:
        RESULTS / "benchmarks/questions/{set}/{split}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        spec=questions_spec,
        out=subpath(output.questions, parent=True),
    message:
        "Questions {wildcards.set}, {wildcards.split} split"
    shell:
        "job make_questions --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule mixture:
    input:
        corpora=mixture_corpora,
    output:
        manifest=RESULTS / "mixtures/{mixture}.json",
    log:
        RESULTS / "logs/mixtures/{mixture}.log",
    benchmark:
        RESULTS / "benchmarks/mixtures/{mixture}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        spec=mixture_spec,
        out=subpath(output.manifest, strip_suffix=".json"),
    message:
        "Mixture {wildcards.mixture}"
    shell:
        "job make_mixture --spec {params.spec:q} --out {params.out:q} --log {log:q}"


# As download: it prints whenever it is asked for.
rule mixtures:
    input:
        [GRID.paths.mixture(mixture) for mixture in GRID.mixtures],
    log:
        RESULTS / "logs/mixtures.log",
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=500,
        runtime=10,
    params:
        spec=of_grid("mixtures"),
        out=RESULTS,
    message:
        "Mixtures"
    shell:
        "job show_mixtures --spec {params.spec:q} --out {params.out:q} | tee {log:q}"


rule contamination_shard:
    input:
        GRID.questions,
    output:
        RESULTS / "contamination/{source}/{shard}.json",
    log:
        RESULTS / "logs/contamination/{source}/{shard}.log",
    benchmark:
        RESULTS / "benchmarks/contamination/{source}/{shard}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=1440,
    params:
        spec=contamination_spec,
        out=subpath(output[0], parent=True),
    message:
        "Questions in {wildcards.source}, shard {wildcards.shard}"
    shell:
        "job find_questions --spec {params.spec:q} --out {params.out:q} --log {log:q}"


rule contamination:
    input:
        [GRID.paths.contamination(*shard) for source in GRID.corpora for shard in GRID.shards(source)],
    output:
        RESULTS / "contamination.csv",
    log:
        RESULTS / "logs/contamination.log",
    benchmark:
        RESULTS / "benchmarks/contamination.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        spec=of_grid("contamination"),
        out=RESULTS,
    message:
        "Table of contamination"
    shell:
        "job show_contamination --spec {params.spec:q} --out {params.out:q} | tee {log:q}"
