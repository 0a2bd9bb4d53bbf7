#include "tests/golden/golden_kinds.hpp"

#include <array>

namespace reseda::golden {

// One declaration and one row per kind; kind_<name>.cpp defines it.
void run_blocks(GoldenCase& golden);
void run_net(GoldenCase& golden);
void run_weights(GoldenCase& golden);
void run_stft(GoldenCase& golden);
void run_sde(GoldenCase& golden);
void run_pc(GoldenCase& golden);
void run_ode(GoldenCase& golden);
void run_sb(GoldenCase& golden);
void run_transform(GoldenCase& golden);
void run_loss(GoldenCase& golden);
void run_train2(GoldenCase& golden);
void run_checkpoint_files(GoldenCase& golden);
void run_ckpt(GoldenCase& golden);
void run_residual_blocks(GoldenCase& golden);
void run_ddim_blocks(GoldenCase& golden);
void run_residual_net(GoldenCase& golden);
void run_rddm_schedules(GoldenCase& golden);
void run_rddm_weights(GoldenCase& golden);
void run_rddm_time_grids(GoldenCase& golden);
void run_rddm_bridge(GoldenCase& golden);
void run_rddm_conversions(GoldenCase& golden);
void run_rddm_predictions(GoldenCase& golden);
void run_rddm_sample(GoldenCase& golden);
void run_rddm_loss(GoldenCase& golden);
void run_residual_optim(GoldenCase& golden);
void run_rddm_ema(GoldenCase& golden);
void run_rddm_from_ddim(GoldenCase& golden);
void run_resfusion_schedules(GoldenCase& golden);
void run_resfusion_process(GoldenCase& golden);
void run_resfusion_sample(GoldenCase& golden);
void run_resfusion_loss(GoldenCase& golden);
void run_residual_weights(GoldenCase& golden);
void run_adm_unet(GoldenCase& golden);
void run_adm_classifier(GoldenCase& golden);
void run_adm_blocks(GoldenCase& golden);
void run_gd_schedules(GoldenCase& golden);
void run_gd_sampling(GoldenCase& golden);
void run_redd_tables(GoldenCase& golden);
void run_ct_radon(GoldenCase& golden);
void run_mbir(GoldenCase& golden);
void run_mri_masks(GoldenCase& golden);
void run_mri_ops(GoldenCase& golden);
void run_mri_solver(GoldenCase& golden);
void run_redd_algo(GoldenCase& golden);
void run_mask(GoldenCase& golden);
void run_redd_dense(GoldenCase& golden);
void run_redd_ops(GoldenCase& golden);
void run_ve_index(GoldenCase& golden);
void run_smoothing_statistics(GoldenCase& golden);
void run_smoothing_analysis(GoldenCase& golden);
void run_cohen(GoldenCase& golden);
void run_dds_schedule(GoldenCase& golden);
void run_dds(GoldenCase& golden);
void run_cifar_resnet(GoldenCase& golden);
void run_classifier_files(GoldenCase& golden);
void run_full_network(GoldenCase& golden);
void run_preprocess(GoldenCase& golden);
void run_rrcm_vit(GoldenCase& golden);
void run_rrcm_denoise(GoldenCase& golden);
void run_rrcm_certify(GoldenCase& golden);
void run_rrcm_schedules(GoldenCase& golden);
void run_rrcm_contrastive(GoldenCase& golden);
void run_rrcm_pretrain_loss(GoldenCase& golden);
void run_rrcm_pretrain_steps(GoldenCase& golden);
void run_rrcm_finetune(GoldenCase& golden);
void run_resize(GoldenCase& golden);
void run_swin_blocks(GoldenCase& golden);
void run_swin_unet(GoldenCase& golden);
void run_upsr_unet(GoldenCase& golden);
void run_vq(GoldenCase& golden);
void run_swin_files(GoldenCase& golden);
void run_atd(GoldenCase& golden);
void run_chop(GoldenCase& golden);
void run_resshift_schedules(GoldenCase& golden);
void run_latent_restoration(GoldenCase& golden);
void run_resshift_operators(GoldenCase& golden);
void run_difiisr_distillation(GoldenCase& golden);
void run_difiisr_losses(GoldenCase& golden);
void run_resshift_train(GoldenCase& golden);
void run_upsr_operators(GoldenCase& golden);
void run_upsr_restoration(GoldenCase& golden);
void run_upsr_train(GoldenCase& golden);
#ifdef RESEDA_WITH_IMAGES
void run_image_metrics(GoldenCase& golden);
#endif
#ifdef RESEDA_WITH_SPEECH
void run_enhance(GoldenCase& golden);
void run_script(GoldenCase& golden);
#endif
#ifdef RESEDA_WITH_AUDIO
void run_metrics(GoldenCase& golden);
#endif

namespace {

constexpr std::array kSystems = {
    std::string_view("sgmse"),         std::string_view("checkpoints"), std::string_view("rddm"),
    std::string_view("resfusion"),     std::string_view("reddiff"),     std::string_view("infrared"),
    std::string_view("certification"),
};

#ifndef RESEDA_WITH_SPEECH
constexpr std::string_view kNeedsSpeech = "needs the speech pipeline (RESEDA_SNDFILE, FFTW)";
#endif

constexpr std::array kKinds = {
    Kind{"checkpoints", "", run_checkpoint_files},
    Kind{"sgmse", "weights", run_weights},
    Kind{"sgmse", "stft", run_stft},
    Kind{"sgmse", "transform", run_transform},
    Kind{"sgmse", "blocks", run_blocks},
    Kind{"sgmse", "net", run_net},
    Kind{"sgmse", "sde", run_sde},
    Kind{"sgmse", "pc", run_pc},
    Kind{"sgmse", "ode", run_ode},
    Kind{"sgmse", "sb", run_sb},
#ifdef RESEDA_WITH_SPEECH
    Kind{"sgmse", "enhance", run_enhance},
    Kind{"sgmse", "script", run_script},
#else
    Kind{"sgmse", "enhance", nullptr, kNeedsSpeech},
    Kind{"sgmse", "script", nullptr, kNeedsSpeech},
#endif
    Kind{"sgmse", "loss", run_loss},
    Kind{"sgmse", "train2", run_train2},
#ifdef RESEDA_WITH_AUDIO
    Kind{"sgmse", "metrics", run_metrics},
#else
    Kind{"sgmse", "metrics", nullptr, "needs libsndfile (RESEDA_SNDFILE)"},
#endif
    Kind{"sgmse", "ckpt", run_ckpt},
    Kind{"rddm", "blocks", run_residual_blocks},
    Kind{"rddm", "unet", run_residual_net},
    Kind{"rddm", "checkpoint", run_residual_weights},
    Kind{"rddm", "schedules", run_rddm_schedules},
    Kind{"rddm", "gen_coefficients", run_rddm_weights},
    Kind{"rddm", "time_grids", run_rddm_time_grids},
    Kind{"rddm", "bridge", run_rddm_bridge},
    Kind{"rddm", "conversions", run_rddm_conversions},
    Kind{"rddm", "model_predictions", run_rddm_predictions},
    Kind{"rddm", "sample", run_rddm_sample},
    Kind{"rddm", "loss", run_rddm_loss},
    Kind{"rddm", "optim", run_residual_optim},
    Kind{"rddm", "ema", run_rddm_ema},
    Kind{"rddm", "ddim_to_rddm_e1", run_rddm_from_ddim},
    Kind{"resfusion", "ddim_blocks", run_ddim_blocks},
    Kind{"resfusion", "unet", run_residual_net},
    Kind{"resfusion", "ddim_unet", run_residual_net},
    Kind{"resfusion", "dit", run_residual_net},
    Kind{"resfusion", "checkpoint", run_residual_weights},
    Kind{"resfusion", "schedules", run_resfusion_schedules},
    Kind{"resfusion", "schedules_unused", run_resfusion_schedules},
    Kind{"resfusion", "process", run_resfusion_process},
    Kind{"resfusion", "sample", run_resfusion_sample},
    Kind{"resfusion", "loss", run_resfusion_loss},
    Kind{"resfusion", "optim", run_residual_optim},
    Kind{"reddiff", "adm_unet", run_adm_unet},
    Kind{"reddiff", "adm_classifier", run_adm_classifier},
    Kind{"reddiff", "adm_blocks", run_adm_blocks},
    Kind{"reddiff", "ct_radon", run_ct_radon},
    Kind{"reddiff", "gd_sampling", run_gd_sampling},
    Kind{"reddiff", "gd_schedules", run_gd_schedules},
    Kind{"reddiff", "mask", run_mask},
    Kind{"reddiff", "mbir", run_mbir},
    Kind{"reddiff", "mri_masks", run_mri_masks},
    Kind{"reddiff", "mri_ops", run_mri_ops},
    Kind{"reddiff", "mri_solver", run_mri_solver},
    Kind{"reddiff", "redd_algo", run_redd_algo},
    Kind{"reddiff", "redd_dense", run_redd_dense},
    Kind{"reddiff", "redd_ops", run_redd_ops},
    Kind{"reddiff", "redd_tables", run_redd_tables},
    Kind{"reddiff", "ve_index", run_ve_index},
    Kind{"infrared", "resize", run_resize},
#ifdef RESEDA_WITH_IMAGES
    Kind{"infrared", "metrics", run_image_metrics},
#else
    Kind{"infrared", "metrics", nullptr, "needs libpng, libtiff and libjpeg"},
#endif
    Kind{"infrared", "checkpoint files", run_swin_files},
    Kind{"infrared", "atd", run_atd},
    Kind{"infrared", "blocks", run_swin_blocks},
    Kind{"infrared", "chop", run_chop},
    Kind{"infrared", "d_schedule", run_resshift_schedules},
    Kind{"infrared", "difiisr_infer", run_latent_restoration},
    Kind{"infrared", "diffusion_ops", run_resshift_operators},
    Kind{"infrared", "distill", run_difiisr_distillation},
    Kind{"infrared", "losses", run_difiisr_losses},
    Kind{"infrared", "r_schedule", run_resshift_schedules},
    Kind{"infrared", "r_unet_fe", run_swin_unet},
    Kind{"infrared", "resshift_infer", run_latent_restoration},
    Kind{"infrared", "resshift_train", run_resshift_train},
    Kind{"infrared", "u_ops", run_upsr_operators},
    Kind{"infrared", "u_schedule", run_resshift_schedules},
    Kind{"infrared", "u_unet", run_upsr_unet},
    Kind{"infrared", "unet_fwd", run_swin_unet},
    Kind{"infrared", "upsr_infer", run_upsr_restoration},
    Kind{"infrared", "upsr_train", run_upsr_train},
    Kind{"infrared", "vq", run_vq},
    Kind{"certification", "checkpoints", run_classifier_files},
    Kind{"certification", "analyze", run_smoothing_analysis},
    Kind{"certification", "cifar_resnet", run_cifar_resnet},
    Kind{"certification", "cohen_certify", run_cohen},
    Kind{"certification", "cohen_predict", run_cohen},
    Kind{"certification", "dds", run_dds},
    Kind{"certification", "dds_schedule", run_dds_schedule},
    Kind{"certification", "full_network", run_full_network},
    Kind{"certification", "preprocess", run_preprocess},
    Kind{"certification", "rrcm_certify", run_rrcm_certify},
    Kind{"certification", "rrcm_contrastive", run_rrcm_contrastive},
    Kind{"certification", "rrcm_denoise", run_rrcm_denoise},
    Kind{"certification", "rrcm_finetune", run_rrcm_finetune},
    Kind{"certification", "rrcm_linear_probe", run_rrcm_finetune},
    Kind{"certification", "rrcm_pretrain_loss", run_rrcm_pretrain_loss},
    Kind{"certification", "rrcm_pretrain_steps", run_rrcm_pretrain_steps},
    Kind{"certification", "rrcm_schedules", run_rrcm_schedules},
    Kind{"certification", "rrcm_vit", run_rrcm_vit},
    Kind{"certification", "statistics", run_smoothing_statistics},
};

}  // namespace

std::span<const std::string_view> systems() { return kSystems; }
std::span<const Kind> kinds() { return kKinds; }

}  // namespace reseda::golden
