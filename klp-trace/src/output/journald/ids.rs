//! The `MESSAGE_ID`s: drawn once (`systemd-id128 new`), never given to something else.

use crate::model::FindingId;

macro_rules! ids {
    ($($id:ident = $uuid:literal,)*) => {
        /// A finding's.
        pub(super) const fn of(id: FindingId) -> u128 {
            match id { $(FindingId::$id => $uuid,)* }
        }
    };
}

ids! {
    Klp001 = 0xcc73869d_2f12_46cf_997e_8b011600b161,
    Klp002 = 0x961c2579_c340_45cb_8895_26ef15f0bbad,
    Klp003 = 0x110d3f63_0a11_4cf1_af89_a761394c7eae,
    Klp004 = 0xe4ce60df_2b1e_4058_9b8e_95156e3215d6,
    Klp005 = 0x68e68886_26e1_47d9_bd6d_8e70624e0ae2,
    Klp006 = 0xf3eee3ea_6c52_46d8_be99_aebb66723dc0,
    Klp007 = 0xa0a3a260_a9fb_4acb_8133_8c9acd360982,
    Klp008 = 0xd696f15b_a5b0_4f25_8a61_4abdd372dbd9,
    Klp009 = 0xd682cd0b_c671_495c_9a15_a2a3b42fa813,
    Klp010 = 0x73d2c16d_9b5e_41c3_b1c4_59c61d3c0063,
    Klp011 = 0x37348e6c_b78e_4a54_9fc6_b2a1719777ad,
    Klp012 = 0x958a53e8_dcb9_4639_b17c_dc794720e838,
    Klp013 = 0xe0d9ef38_2f6d_4cd0_8983_ba44088ea037,
    Klp014 = 0xa37a5c21_531e_4cb9_8af4_9188f77a341a,
    Klp015 = 0xba0148fc_58e3_481b_bfb4_5b8276144085,
    Klp016 = 0x57b34611_a1c8_4e23_8a61_1b08074b0d19,
}

/// Of every finding's end.
pub(super) const OVER: u128 = 0xd9a277e6_2dde_4472_9cac_5e698e699654;

/// Of a closed file of klp-trace's journal.
pub(super) const HEAD: u128 = 0xdb52be54_ae44_4b8c_abb7_f8a3f9b1e95c;
