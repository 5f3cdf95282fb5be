"""Text: tokenizer, corpora as token shards, question sets, mixtures."""


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


rule corpus:
    input:
        tokenizer=rules.tokenizer.output.tokenizer,
    output:
        manifest=RESULTS / "corpora/{source}/manifest.json",
        train=RESULTS / "corpora/{source}/train.bin",
        train_offsets=RESULTS / "corpora/{source}/train.offsets.npy",
        held_out=RESULTS / "corpora/{source}/held_out.bin",
        held_out_offsets=RESULTS / "corpora/{source}/held_out.offsets.npy",
        provenance=RESULTS / "corpora/{source}/provenance.json",
    log:
        RESULTS / "logs/corpora/{source}.log",
    benchmark:
        RESULTS / "benchmarks/corpora/{source}.tsv"
    conda:
        "../envs/training.yaml"
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        spec=corpus_spec,
        out=subpath(output.manifest, parent=True),
    message:
        "Corpus {wildcards.source}"
    shell:
        "job tokenize_corpus --spec {params.spec:q} --out {params.out:q} --log {log:q}"


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
